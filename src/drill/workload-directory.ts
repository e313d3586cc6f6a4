/**
 * The directory of an attached workload. It is noted down, in the state directory, before it is made, so that it goes
 * whatever becomes of the tool: `drill undo` removes what a tool that is gone has left.
 */
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { setImmediate as breathe } from 'node:timers/promises'
import { isAlive, ownerName } from '../sandbox/owner.js'
import { RefusedError, UndoError } from './errors.js'
import {
  attempt,
  type FileId,
  fileId,
  findAt,
  isGone,
  isSameFile,
  namesIn,
  openAt,
  openPlace,
  pathOf,
  removeEmpty,
  showName,
  statOf,
  syncDirectory,
} from './host/files.js'
import { devicesHold, placeOf, withPlace } from './host/place.js'
import type { Credentials } from './host/processes.js'
import type { DrillPlan } from './plan.js'

/** How long it may take. */
const REMOVING_MS = 60_000

interface Note {
  readonly plan: DrillPlan
  readonly name: string
  /** Which one it is; it is not there yet, or has nothing in it, where that is not known. */
  readonly id?: FileId
  /** Names the tool: see isAlive in src/sandbox/owner.ts. */
  readonly tool: string
}

export interface WorkloadDirectory {
  readonly path: string
  readonly id: FileId
}

/** Whether it is where it was made. Somebody may have taken it away: it lies in a directory of theirs. */
export function isInPlace({ path: where, id }: WorkloadDirectory): boolean {
  const fd = attempt(() => openPlace(where))
  if (fd === undefined) return false
  try {
    return isSameFile(fileId(statOf(fd)), id, true)
  } finally {
    closeSync(fd)
  }
}

/**
 * Makes a directory in the plan's, for the service's user alone.
 * @throws RefusedError where another workload is attached, or somebody else's is in its place; an Error of Node where it
 *   cannot be made
 */
export async function makeWorkloadDirectory(
  state: string,
  plan: DrillPlan,
  { uid, gid }: Credentials,
): Promise<WorkloadDirectory> {
  if (leftWorkload(state) !== undefined) await removeWorkloadDirectory(state)
  if (readNote(state) !== undefined) {
    throw new RefusedError(`another drill has a workload attached: ${noteFile(state)}`)
  }
  const name = `.lightning-chaos-workload-${plan.id}`
  const note = { plan, name, tool: ownerName()! }
  writeNote(state, note)
  try {
    return await withPlace(plan, async (place, placePath) => {
      const where = path.join(placePath, name)
      mkdirSync(pathOf(place, Buffer.from(name)), { mode: 0o700 })
      const made = openAt(place, Buffer.from(name))
      try {
        checkJustMade(made, where)
        const id = fileId(statOf(made))
        writeNote(state, { ...note, id })
        if (process.geteuid?.() === 0) chownSync(pathOf(made), uid, gid)
        return { path: where, id }
      } finally {
        closeSync(made)
      }
    })
  } catch (error) {
    await removeWorkloadDirectory(state).catch(() => {}) // the next drill tries again
    throw error
  }
}

/** Whoever owns the plan's directory may have put something else in its place, which would be given away. */
function checkJustMade(fd: number, where: string): void {
  const stat = statOf(fd)
  const isOurs = stat.isDirectory() && Number(stat.uid) === process.geteuid?.() && (stat.mode & 0o077n) === 0n
  if (isOurs && namesIn(fd).length === 0) return
  throw new RefusedError(`${where} is not the directory that was just made there`, {
    hint: 'somebody has exchanged it',
  })
}

/**
 * Removes what is noted down, and the note. Nobody may be at work in it.
 * @returns whether it was there: somebody may have removed it, or moved it elsewhere
 * @throws UndoError where it is covered, is not empty in good time, or cannot be removed for another reason; the note is kept then
 */
export async function removeWorkloadDirectory(state: string): Promise<boolean> {
  const note = readNote(state)
  if (note === undefined) return false
  const where = pathIn(note)
  const wasThere = await removeNoted(note).catch((cause: Error) => {
    throw new UndoError(`${where} cannot be removed: ${cause.message}`, {
      hint: 'once the reason is gone: lightning-chaos drill undo',
      cause,
    })
  })
  rmSync(noteFile(state), { force: true })
  return wasThere
}

async function removeNoted({ plan, name, id }: Note): Promise<boolean> {
  const known = Buffer.from(name)
  return await withPlace(plan, async (place) => {
    if (id === undefined) return removeEmpty(place, known)
    const isIt = (fd: number) => isSameFile(fileId(statOf(fd)), id, devicesHold(plan))
    const find = () => findAt(place, known, isIt)
    const deadline = performance.now() + REMOVING_MS
    let wasThere = false
    // whoever owns the place may give it another name at any time
    for (let found = find(); found !== undefined; found = find()) {
      wasThere = true
      try {
        if (performance.now() > deadline) throw notEmpty(found.name)
        attempt(() => clear(found.fd))
      } finally {
        closeSync(found.fd)
      }
      removeEmpty(place, found.name)
      await breathe()
    }
    checkNotCovered(place, known)
    return wasThere
  })
}

/** Somebody goes on writing there, or the tree is too large for that disk. */
function notEmpty(name: Buffer): UndoError {
  return new UndoError(`'${showName(name)}' is not empty after ${REMOVING_MS / 1000} s`)
}

/** @throws CoveredError where something is mounted over it, beneath which it may still be */
function checkNotCovered(place: number, name: Buffer): void {
  const fd = attempt(() => openAt(place, name))
  if (fd !== undefined) closeSync(fd)
}

function pathIn({ plan, name }: Note): string {
  return path.join(placeOf(plan).path, name)
}

/** The directory that a tool which is gone has left; undefined where there is none. */
export function leftWorkload(state: string): string | undefined {
  const note = readNote(state)
  if (note === undefined || isAlive(note.tool)) return undefined
  return pathIn(note)
}

function noteFile(state: string): string {
  return path.join(state, 'workload.json')
}

function readNote(state: string): Note | undefined {
  let text: string
  try {
    text = readFileSync(noteFile(state), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return JSON.parse(text) as Note
  } catch (cause) {
    throw new UndoError(`${noteFile(state)} is damaged: where a workload was cannot be told`, {
      hint: 'look for .lightning-chaos-workload-* where a drill was, remove it, and then that file',
      cause,
    })
  }
}

function writeNote(state: string, note: Note): void {
  const file = noteFile(state)
  const fd = openSync(`${file}.new`, 'w', 0o600)
  try {
    writeFileSync(fd, `${JSON.stringify(note)}\n`)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(`${file}.new`, file)
  syncDirectory(state)
}

/**
 * Removes what lies in a directory, and moves up what lies deeper, so that no tree is too deep; it is empty once that has been
 * repeated for each level. By descriptors, so that no link is followed; and a mount is neither removed nor entered: EBUSY.
 */
function clear(top: number): void {
  const moved = randomBytes(6).toString('hex')
  let count = 0
  takeAway(top)
  for (const name of namesIn(top)) {
    if (removeOne(top, name)) continue
    const fd = openAt(top, name)
    try {
      takeAway(fd)
      for (const each of namesIn(fd)) {
        if (removeOne(fd, each)) continue
        renameSync(pathOf(fd, each), pathOf(top, Buffer.from(`${moved}-${count}`)))
        count += 1
      }
    } finally {
      closeSync(fd)
    }
  }
}

/**
 * From the service's user, who could put something into a directory for as long as it is emptied; whoever has it open
 * neither can any more. An ordinary user is the service's user.
 */
function takeAway(directory: number): void {
  if (process.geteuid?.() !== 0) return
  chownSync(pathOf(directory), 0, 0)
  chmodSync(pathOf(directory), 0o700)
}

/** @returns false where it is a directory that has something in it */
function removeOne(directory: number, name: Buffer): boolean {
  try {
    unlinkSync(pathOf(directory, name))
  } catch (error) {
    if (isGone(error)) return true
    if ((error as NodeJS.ErrnoException).code !== 'EISDIR') throw error
    return removeEmpty(directory, name)
  }
  return true
}
