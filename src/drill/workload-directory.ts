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

/** How long somebody may go on writing there. */
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
  await removeLeftWorkload(state)
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
 * @throws UndoError where somebody is all the same, so that it is not empty in good time; the note is kept then
 */
export async function removeWorkloadDirectory(state: string): Promise<void> {
  const note = readNote(state)
  if (note === undefined) return
  const { plan, name, id } = note
  await withPlace(plan, async (place) => {
    const isIt = (fd: number) => isSameFile(fileId(statOf(fd)), id!, devicesHold(plan))
    if (id === undefined) return void removeEmpty(place, Buffer.from(name))
    const find = () => findAt(place, Buffer.from(name), isIt)
    const deadline = performance.now() + REMOVING_MS
    // whoever owns the place may give it another name at any time
    for (let found = find(); found !== undefined; found = find()) {
      try {
        if (performance.now() > deadline) throw inUse(path.join(placeOf(plan).path, showName(found.name)))
        attempt(() => clear(found.fd))
      } finally {
        closeSync(found.fd)
      }
      removeEmpty(place, found.name)
      await breathe()
    }
  })
  rmSync(noteFile(state), { force: true })
}

function inUse(where: string): UndoError {
  return new UndoError(`somebody goes on writing to ${where}, which cannot be removed therefore`, {
    hint: 'once nobody does: lightning-chaos drill undo',
  })
}

/** The directory that a tool which is gone has left; undefined where there is none. */
export function leftWorkload(state: string): string | undefined {
  const note = readNote(state)
  if (note === undefined || isAlive(note.tool)) return undefined
  return path.join(placeOf(note.plan).path, note.name)
}

/** Removes that. @returns whether there was something to remove */
export async function removeLeftWorkload(state: string): Promise<boolean> {
  if (leftWorkload(state) === undefined) return false
  await removeWorkloadDirectory(state)
  return true
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
