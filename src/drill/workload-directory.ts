/**
 * The directory of an attached workload. It is noted down, in the state directory, before it is made, so that it goes
 * whatever becomes of the tool: `drill undo` removes what a tool that is gone has left.
 */
import {
  chownSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { isAlive, ownerName } from '../sandbox/owner.js'
import { RefusedError, UndoError } from './errors.js'
import { isGone, openAt, pathOf, statOf, syncDirectory } from './host/files.js'
import { placeOf, withPlace } from './host/place.js'
import type { Credentials } from './host/processes.js'
import type { DrillPlan } from './plan.js'

interface Note {
  readonly plan: DrillPlan
  readonly name: string
  /** Names the tool: see isAlive in src/sandbox/owner.ts. */
  readonly tool: string
}

/**
 * Makes a directory in the plan's, for the service's user alone.
 * @returns its path
 * @throws RefusedError where another workload is attached; an Error of Node where it cannot be made
 */
export async function makeWorkloadDirectory(
  state: string,
  plan: DrillPlan,
  { uid, gid }: Credentials,
): Promise<string> {
  await removeLeftWorkload(state)
  if (readNote(state) !== undefined) {
    throw new RefusedError(`another drill has a workload attached: ${noteFile(state)}`)
  }
  const name = `.lightning-chaos-workload-${plan.id}`
  writeNote(state, { plan, name, tool: ownerName()! })
  return await withPlace(plan, async (place, placePath) => {
    mkdirSync(pathOf(place, Buffer.from(name)), { mode: 0o700 })
    const made = openAt(place, Buffer.from(name))
    try {
      if (process.geteuid?.() === 0) chownSync(pathOf(made), uid, gid)
    } finally {
      closeSync(made)
    }
    return path.join(placePath, name)
  })
}

/** Removes what is noted down, and the note. Nobody may be at work in it. */
export async function removeWorkloadDirectory(state: string): Promise<void> {
  const note = readNote(state)
  if (note === undefined) return
  await withPlace(note.plan, async (place) => removeTree(place, Buffer.from(note.name), statOf(place).dev))
  rmSync(noteFile(state), { force: true })
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

/** By descriptors: no link is followed, and no other file system entered. */
function removeTree(parent: number, name: Buffer, dev: bigint): void {
  let fd: number
  try {
    fd = openAt(parent, name)
  } catch (error) {
    if (isGone(error)) return
    throw error
  }
  try {
    const stat = statOf(fd)
    if (stat.dev !== dev) return
    if (!stat.isDirectory()) {
      unlinkSync(pathOf(parent, name))
      return
    }
    for (const each of readdirSync(pathOf(fd), { encoding: 'buffer' })) removeTree(fd, each, dev)
  } finally {
    closeSync(fd)
  }
  rmdirSync(pathOf(parent, name))
}
