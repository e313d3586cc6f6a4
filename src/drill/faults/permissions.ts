/** A tree whose write bits are gone: each mode is saved first, and put back where it is still the one that was set. */
import { chmodSync, closeSync } from 'node:fs'
import { setImmediate as breathe } from 'node:timers/promises'
import { HostError } from '../../errors.js'
import { CoveredError } from '../errors.js'
import { hasCapability } from '../host/capabilities.js'
import {
  Descent,
  type FileId,
  type Found,
  fileId,
  fileKey,
  isSameFile,
  type JsonName,
  nameFromJson,
  nameToJson,
  openPlace,
  pathOf,
  showName,
  statOf,
  walk,
} from '../host/files.js'
import { devicesHold, placeOf, withPlace } from '../host/place.js'
import type { DrillPlan } from '../plan.js'
import { type Fault, Told } from './fault.js'

const WRITE_BITS = 0o222
const SET_GROUP_ID = 0o2000
const ENTRIES_AT_A_TIME = 500

/** A file or directory. Owner and group stand here for the reader of the journal: chmod(2) leaves them alone. */
type Entry = FileId & {
  readonly name: JsonName
  /** Octal. */
  readonly from: string
  readonly to: string
  readonly uid: number
  readonly gid: number
}

/**
 * An ACL needs no saving: the write bits of a file that has one are those of its owner, its mask and all others, and
 * nothing else of it is touched (acl(5), "correspondence between ACL entries and file permission bits").
 */
export const permissions: Fault<Entry> = {
  title: 'A tree whose write bits are gone',
  errnos: ['EACCES', 'EPERM'],
  capabilities: ['fowner', 'fsetid', 'dac_read_search'],
  foresee(plan) {
    const { path } = placeOf(plan)
    const all = [...this.save(plan)]
    const changed = all.filter(({ from, to }) => from !== to).length
    return {
      does: [
        `takes the write bits (chmod a-w) of ${changed} of the ${all.length} files and directories in ${path}`,
        'a descriptor that is open keeps writing, and root writes whatever the mode says: that is POSIX',
      ],
      undoes: [
        'gives each its own mode again, where it is still the same file with the mode that was set, whatever its name',
        'leaves what others made, removed or changed meanwhile, and says so',
      ],
    }
  },
  *save(plan) {
    const root = openPlace(placeOf(plan).path)
    try {
      for (const { path, stat } of walk(root)) {
        if (!stat.isFile() && !stat.isDirectory()) continue
        const mode = Number(stat.mode) & 0o7777
        checkGroup(plan, path, mode, Number(stat.gid))
        yield {
          name: nameToJson(path),
          ...fileId(stat),
          from: mode.toString(8),
          to: (mode & ~WRITE_BITS).toString(8),
          uid: Number(stat.uid),
          gid: Number(stat.gid),
        }
      }
    } finally {
      closeSync(root)
    }
  },
  async inject(plan, saved, stop) {
    let changed = 0
    const refused = new Told()
    await eachEntry(plan, saved, stop, {
      visit({ from, to }, fd) {
        if (fd === undefined || modeOf(fd) !== from || from === to) return
        chmodSync(pathOf(fd), Number.parseInt(to, 8))
        changed += 1
      },
      failed: ({ name }, error) =>
        refused.add(
          `${showEntry(plan, nameFromJson(name))}: ${error instanceof CoveredError ? error.message : error.code}`,
        ),
    })
    const but = refused.lines.length === 0 ? '' : `; not of ${refused.lines.join(', ')}`
    return { detail: `the write bits of ${changed} files and directories are gone${but}` }
  },
  async undo(plan, saved) {
    const left = new Told()
    const meanwhile = new Told()
    const failed = new Told()
    const lost: Entry[] = []
    let restored = 0
    const stays = ({ from }: Entry, name: string, { message }: Error) =>
      failed.add(`${name}: ${message}; it had the mode ${from}`)
    const giveBack = (entry: Entry, name: string, fd: number) => {
      const { from, to } = entry
      try {
        const mode = modeOf(fd)
        if (mode === from) return
        if (mode !== to) return left.add(`${name}: somebody gave it the mode ${mode}, it had ${from}`)
        chmodSync(pathOf(fd), Number.parseInt(from, 8))
        restored += 1
      } catch (error) {
        stays(entry, name, error as Error)
      }
    }
    const nameOf = ({ name }: Entry) => showEntry(plan, nameFromJson(name))
    await eachEntry(plan, saved, undefined, {
      visit(entry, fd) {
        if (fd === undefined) lost.push(entry)
        else giveBack(entry, nameOf(entry), fd)
      },
      failed: (entry, error) => stays(entry, nameOf(entry), error),
    })
    const known = new Set(saved.map(fileKey))
    const moved = new Map(lost.map((entry) => [fileKey(entry), entry]))
    /** What was told last: that a directory has another name says it of all that is in it. */
    let above: string | undefined
    try {
      await eachFound(plan, meanwhile, ({ path, fd, stat }) => {
        const name = showEntry(plan, path)
        const key = fileKey(fileId(stat))
        const entry = moved.get(key)
        if (entry !== undefined) {
          moved.delete(key)
          giveBack(entry, name, fd)
          if (above !== undefined && name.startsWith(`${above}/`)) return
          above = name
          meanwhile.add(`${nameOf(entry)}: has the name ${name} by now`)
        } else if (!known.has(key)) meanwhile.add(made(name, modeOf(fd)))
      })
    } catch (error) {
      // to tell what is new is a help; to find what has another name is not
      const told = lost.length === 0 ? meanwhile : failed
      told.add(`what others did meanwhile cannot be told: ${(error as Error).message}`)
    }
    for (const entry of lost) {
      if (!moved.has(fileKey(entry))) continue
      left.add(`${nameOf(entry)}: gone, or another file by now; it had the mode ${entry.from}`)
    }
    return {
      detail: `the modes of ${restored} files and directories put back`,
      left: [...left.lines, ...meanwhile.lines],
      failed: failed.lines,
      ...(restored + failed.lines.length === 0 ? { gone: 'nothing had the mode that it was given' } : {}),
    }
  },
}

/**
 * chmod(2): whoever is not in the group of a file takes its set-group-ID bit away with each change, and cannot give it back.
 * @throws HostError
 */
function checkGroup(plan: DrillPlan, path: Buffer, mode: number, gid: number): void {
  if ((mode & SET_GROUP_ID) === 0 || (mode & WRITE_BITS) === 0 || hasCapability('fsetid')) return
  if (gid === process.getegid?.() || process.getgroups?.().includes(gid)) return
  throw new HostError(
    `${showEntry(plan, path)} has the set-group-ID bit of group ${gid}, which you are not in: it could not be given back`,
    { hint: 'call it as root, by sudo' },
  )
}

interface Visitor {
  /** @param fd undefined where that very file is not there any more */
  visit(entry: Entry, fd: number | undefined): void
  /** One that cannot be reached, or visited, is no reason to leave out the others. */
  failed(entry: Entry, error: NodeJS.ErrnoException): void
}

/** Visits each entry by a descriptor of it. */
async function eachEntry(
  plan: DrillPlan,
  saved: readonly Entry[],
  stop: AbortSignal | undefined,
  visitor: Visitor,
): Promise<void> {
  const hold = devicesHold(plan)
  await withPlace(plan, async (root) => {
    const descent = new Descent(root)
    try {
      for (const [index, entry] of saved.entries()) {
        if (index % ENTRIES_AT_A_TIME === 0) await breathe()
        if (stop?.aborted) return
        let fd: number | undefined
        try {
          fd = descent.open(nameFromJson(entry.name))
          const same = fd !== undefined && isSameFile(fileId(statOf(fd)), entry, hold)
          visitor.visit(entry, same ? fd : undefined)
        } catch (error) {
          visitor.failed(entry, error as NodeJS.ErrnoException)
        } finally {
          if (fd !== undefined) closeSync(fd)
        }
      }
    } finally {
      descent.close()
    }
  })
}

/** Hands over all that is there by now. What cannot be looked at is told: others may make what they like. */
async function eachFound(plan: DrillPlan, told: Told, use: (found: Found) => void): Promise<void> {
  await withPlace(plan, async (root) => {
    for (const found of walk(root, ({ message }) => told.add(`${placeOf(plan).path}: ${message}`)))
      if (found.stat.isFile() || found.stat.isDirectory()) use(found)
  })
}

/** What was made meanwhile may have inherited the fault: SQLite gives its new files the mode of the database. */
function made(name: string, mode: string): string {
  const remark = (Number.parseInt(mode, 8) & WRITE_BITS) === 0 ? ', which nobody but root may write to' : ''
  return `${name}: made meanwhile, with the mode ${mode}${remark}`
}

function modeOf(fd: number): string {
  return (Number(statOf(fd).mode) & 0o7777).toString(8)
}

function showEntry(plan: DrillPlan, path: Buffer): string {
  const root = placeOf(plan).path
  return path.length === 0 ? root : `${root}/${showName(path)}`
}
