/**
 * One undo at a time: two that looked at the same moment would both unmount, the second what was there before the drill.
 * The lock is flock(2) on a file that we have open, taken by flock(1), as Node has no such call; it goes with us. Whoever
 * may open a file may lock it, so nobody else may open this one: the state directory may be there for others to read.
 */
import { closeSync, constants, openSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CommandError, commandWithDescriptor, isForkFailure } from '../sandbox/command.js'
import { UndoError } from './errors.js'

/** Longest that another undo is waited for, in seconds. */
const PATIENCE_S = 120
/** Of flock(1), where the time is up; what else is wrong has other numbers. */
const TOO_LATE = 75
const STEP_MS = 500
/** In a session of its own: who grows impatient, and presses Ctrl-C, does not end it. */
const FLOCK = [
  ...['setsid', '--wait', 'flock', '--exclusive', '--timeout', String(PATIENCE_S)],
  ...['--conflict-exit-code', String(TOO_LATE), '3'],
] as const
/** Never removed again: two undos have to lock the same one. */
const LOCK = constants.O_RDONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Makes what undos lock, while there is room for it. @throws an Error of Node */
export function prepareLock(state: string): void {
  closeSync(openLock(state))
}

/** @throws UndoError where another one does not come to its end */
export async function aloneIn<T>(state: string, undo: () => Promise<T>): Promise<T> {
  let lock: number
  try {
    lock = openLock(state)
  } catch {
    return await undo() // where nobody can lock, undoing alone is better than not at all
  }
  try {
    await take(lock)
    return await undo()
  } finally {
    closeSync(lock)
  }
}

function openLock(state: string): number {
  return openSync(path.join(state, 'undo.lock'), LOCK, 0o600)
}

async function take(lock: number): Promise<void> {
  for (const deadline = performance.now() + PATIENCE_S * 1000; ; await sleep(STEP_MS)) {
    try {
      return await commandWithDescriptor(lock, ...FLOCK)
    } catch (error) {
      if (isForkFailure(error) && performance.now() < deadline) continue
      // what else is wrong: nobody can lock here, as above
      if (!(error instanceof CommandError) || error.status !== TOO_LATE) return
      throw new UndoError(`another undo has been at work for more than ${PATIENCE_S} s`, {
        hint: 'see what it waits for; once it has ended: lightning-chaos drill undo',
      })
    }
  }
}
