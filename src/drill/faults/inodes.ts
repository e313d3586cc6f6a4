/** A file system without a free inode: empty files in one directory, whose name is in the journal before it is made. */
import { closeSync, constants, mkdirSync, openSync, statfsSync, unlinkSync } from 'node:fs'
import { setImmediate as breathe } from 'node:timers/promises'
import { HostError, UsageError } from '../../errors.js'
import {
  fileId,
  findAt,
  isSameFile,
  namesIn,
  openAt,
  openParent,
  pathOf,
  removeEmpty,
  statOf,
} from '../host/files.js'
import { placeOf, withPlace } from '../host/place.js'
import { until } from '../host/wait.js'
import type { DrillPlan } from '../plan.js'
import { checkMemory, checkNoDiskNeedsRoom, type Fault, Told } from './fault.js'
import { keep } from './keep.js'

const FILES_AT_A_TIME = 500
/** Somebody who waits for more would wait for an hour, and again for its undo. */
const MOST_FILES = 20_000_000
/** The witness takes what is left, with a descriptor for each. */
const MOST_LEFT = 512

/** An inode comes back a little after its file goes (xfs frees in the background). */
const SETTLING = { milliseconds: 10_000, stepMs: 20 }

/** Bytes that the kernel needs for a file without content, about. */
const INODE_IN_MEMORY = 1024

interface Directory {
  /**
   * In the place. Nobody else could have made it: it has the id of the drill. A file in it has the same name, as whoever owns
   * the place may give the directory another.
   */
  readonly directory: string
  /** Inodes that were free before. */
  readonly free: number
}

export const inodes: Fault<Directory> = {
  title: 'A file system without a free inode',
  errnos: ['ENOSPC'],
  capabilities: ['dac_override', 'fowner', 'sys_resource'],
  foresee(plan) {
    const { path, mountPoint, type } = placeOf(plan)
    if (plan.leave > MOST_LEFT) {
      throw new UsageError(`inodes leaves ${MOST_LEFT} at most: who takes what is left shows the fault`, {
        hint: `name fewer: --leave ${MOST_LEFT}`,
      })
    }
    const { files, ffree } = statfsSync(path)
    if (files === 0) {
      throw new HostError(`${mountPoint} (${type}) has no fixed number of inodes`, {
        hint: 'try drill diskfull',
      })
    }
    if (ffree > MOST_FILES)
      throw new HostError(`${mountPoint} has ${ffree} free inodes, too many to use up in time`)
    checkMemory(plan, (ffree - plan.leave) * INODE_IN_MEMORY)
    // elsewhere an inode takes its room when it is made (xfs)
    if (!type.startsWith('ext')) checkNoDiskNeedsRoom(plan)
    return {
      does: [
        `makes ${Math.max(0, ffree - plan.leave)} empty files, of ${ffree} free inodes of ${mountPoint} (${type})`,
        `in the directory ${directoryOf(plan.id)} in ${path}; takes what others give back meanwhile, too`,
      ],
      undoes: ['removes those files and that directory; whatever else is in it is left, and said'],
    }
  },
  *save(plan) {
    yield { directory: directoryOf(plan.id), free: statfsSync(placeOf(plan).path).ffree }
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
        if (!makeFile(directory, count === 0 ? saved!.directory : String(count))) return
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
          await removeElsewhere(plan, saved!.directory, directory).finally(() => closeSync(directory))
        }
      },
    }
  },
  async undo(plan, saved) {
    const left = new Told()
    const failed = new Told()
    let removed = 0
    let now = 0
    for (const { directory, free } of saved) {
      await withPlace(plan, async (place, path) => {
        const name = Buffer.from(directory)
        const found = findAt(place, name, (fd) => isDirectoryOfOurs(fd, name))
        if (found !== undefined) removed += await removeFiles(place, found, directory, left)
        else removeEmpty(place, name)
        const areBack = () => {
          now = statfsSync(pathOf(place)).ffree
          // others make and remove files, too: most of what was free is enough to know that it came back
          return (now - plan.leave) * 2 >= free - plan.leave
        }
        if ((await until(areBack, SETTLING)) || found !== undefined) return
        failed.add(
          `${path}/${directory} is not there any more, and its inodes were not given back; where it is now: find ${placeOf(plan).mountPoint} -xdev -name ${directory}`,
        )
      })
    }
    return {
      detail: `${removed} empty files removed, ${now} inodes free`,
      left: left.lines,
      failed: failed.lines,
    }
  },
}

function directoryOf(id: string): string {
  return `.lightning-chaos-${id}`
}

/** What was moved out of the place, only who has it open finds: `undo` looks in the place alone. */
async function removeElsewhere(plan: DrillPlan, known: string, directory: number): Promise<void> {
  const parent = openParent(directory)
  try {
    if (isSameFile(fileId(statOf(parent)), placeOf(plan).id, true)) return
    const isIt = (fd: number) => isSameFile(fileId(statOf(fd)), fileId(statOf(directory)), true)
    const found = findAt(parent, Buffer.from(known), isIt)
    const left = new Told()
    if (found !== undefined) await removeFiles(parent, found, known, left)
    if (left.lines.length > 0) throw new HostError(left.lines.join(', '))
  } finally {
    closeSync(parent)
  }
}

/** @returns false where there is no room, not for a name either */
function makeFile(directory: number, name: string): boolean {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  try {
    closeSync(openSync(pathOf(directory, Buffer.from(name)), flags, 0o600))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    return false
  }
}

/** Whoever the place belongs to may put another one under its name, but none of ours. */
function isDirectoryOfOurs(directory: number, name: Buffer): boolean {
  try {
    if (Number(statOf(directory).uid) !== process.geteuid?.()) return false
    closeSync(openAt(directory, name))
    return true
  } catch {
    return false // what we may not look into is not ours
  }
}

/** The file that it is known by goes last. @returns how many files were removed */
async function removeFiles(
  place: number,
  { name, fd: directory }: { readonly name: Buffer; readonly fd: number },
  known: string,
  left: Told,
): Promise<number> {
  let removed = 0
  try {
    const files = namesIn(directory).map(String)
    for (const file of [...files.filter((each) => each !== known), known]) {
      if (!isOurs(directory, file, known)) {
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
  removeEmpty(place, name)
  return removed
}

function isOurs(directory: number, file: string, known: string): boolean {
  if (!/^\d+$/.test(file) && file !== known) return false
  const fd = openAt(directory, Buffer.from(file))
  try {
    const stat = statOf(fd)
    return stat.isFile() && stat.size === 0n
  } finally {
    closeSync(fd)
  }
}
