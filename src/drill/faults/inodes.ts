/** A file system without a free inode: empty files in one directory, whose name is in the journal before it is made. */
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  statfsSync,
  unlinkSync,
} from 'node:fs'
import { setImmediate as breathe } from 'node:timers/promises'
import { HostError } from '../../errors.js'
import { isGone, openAt, pathOf, statOf } from '../host/files.js'
import { placeOf, withPlace } from '../host/place.js'
import { checkMemory, type Fault, Told } from './fault.js'
import { keep } from './keep.js'

const FILES_AT_A_TIME = 500
/** Somebody who waits for more would wait for an hour, and again for its undo. */
const MOST_FILES = 20_000_000

/** Bytes that the kernel needs for a file without content, about. */
const INODE_IN_MEMORY = 1024

interface Directory {
  /** In the place. Nobody else could have made it: it has the id of the drill. */
  readonly directory: string
}

export const inodes: Fault<Directory> = {
  title: 'A file system without a free inode',
  errnos: ['ENOSPC'],
  capabilities: ['dac_override', 'fowner', 'sys_resource'],
  foresee(plan) {
    const { path, mountPoint, type } = placeOf(plan)
    const { files, ffree } = statfsSync(path)
    if (files === 0) {
      throw new HostError(`${mountPoint} (${type}) has no fixed number of inodes`, {
        hint: 'try drill diskfull',
      })
    }
    if (ffree > MOST_FILES)
      throw new HostError(`${mountPoint} has ${ffree} free inodes, too many to use up in time`)
    checkMemory(plan, (ffree - plan.leave) * INODE_IN_MEMORY)
    return {
      does: [
        `makes ${Math.max(0, ffree - plan.leave)} empty files, of ${ffree} free inodes of ${mountPoint} (${type})`,
        `in the directory ${directoryOf(plan.id)} in ${path}; takes what others give back meanwhile, too`,
      ],
      undoes: ['removes those files and that directory; whatever else is in it is left, and said'],
    }
  },
  *save(plan) {
    yield { directory: directoryOf(plan.id) }
  },
  async inject(plan, [saved], stop) {
    const name = Buffer.from(saved!.directory)
    const directory = await withPlace(plan, async (place) => {
      mkdirSync(pathOf(place, name), { mode: 0o700 })
      return openAt(place, name)
    })
    let count = 0
    const fill = async () => {
      while (!stop.aborted && statfsSync(pathOf(directory)).ffree > plan.leave) {
        if (!makeFile(directory, count)) return
        count += 1
        if (count % FILES_AT_A_TIME === 0) await breathe()
      }
    }
    try {
      await fill()
    } catch (error) {
      closeSync(directory)
      throw error
    }
    const keeping = keep(fill)
    return {
      detail: `${count} empty files made, ${statfsSync(pathOf(directory)).ffree} inodes free`,
      async release() {
        try {
          await keeping.end()
        } finally {
          closeSync(directory)
        }
      },
    }
  },
  async undo(plan, saved) {
    const left = new Told()
    let removed = 0
    for (const { directory } of saved) {
      await withPlace(plan, async (place) => {
        removed += await removeFiles(place, Buffer.from(directory), left)
      })
    }
    return { detail: `${removed} empty files removed`, left: left.lines, failed: [] }
  },
}

function directoryOf(id: string): string {
  return `.lightning-chaos-${id}`
}

/** @returns false where there is no room, not for a name either */
function makeFile(directory: number, number: number): boolean {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  try {
    closeSync(openSync(pathOf(directory, Buffer.from(String(number))), flags, 0o600))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    return false
  }
}

/** @returns how many files were removed */
async function removeFiles(place: number, name: Buffer, left: Told): Promise<number> {
  let directory: number
  try {
    directory = openAt(place, name)
  } catch (error) {
    if (isGone(error)) return 0
    throw error
  }
  let removed = 0
  try {
    if (!statOf(directory).isDirectory()) {
      left.add(`${name}: is something else by now`)
      return 0
    }
    for (const file of readdirSync(pathOf(directory))) {
      if (!isOurs(directory, file)) {
        left.add(`${name}/${file}: is not ours`)
        continue
      }
      unlinkSync(pathOf(directory, Buffer.from(file)))
      removed += 1
      if (removed % FILES_AT_A_TIME === 0) await breathe()
    }
  } finally {
    closeSync(directory)
  }
  try {
    rmdirSync(pathOf(place, name))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOTEMPTY' && !isGone(error)) throw error
  }
  return removed
}

function isOurs(directory: number, file: string): boolean {
  if (!/^\d+$/.test(file)) return false
  const fd = openAt(directory, Buffer.from(file))
  try {
    const stat = statOf(fd)
    return stat.isFile() && stat.size === 0n
  } finally {
    closeSync(fd)
  }
}
