/**
 * One undo at a time: two that looked at the same moment would both unmount, the second what was there before the drill.
 * The lock is flock(2) on the state directory, held by flock(1), as Node has no such call: it goes with the process that
 * holds it, which ends with its stdin, that is with us.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { COMMAND_PATH } from '../sandbox/command.js'
import { UndoError } from './errors.js'

/** Longest that another undo is waited for, in seconds. */
const PATIENCE_S = 120

/** @throws UndoError where another one does not come to its end */
export async function aloneIn<T>(state: string, undo: () => Promise<T>): Promise<T> {
  const holder = spawn('flock', ['--exclusive', '--timeout', String(PATIENCE_S), state, 'cat'], {
    cwd: '/',
    env: { PATH: COMMAND_PATH },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  holder.stdin.on('error', () => {}) // it has ended, which is seen below
  // cat gives back what it is given once it runs: then we have the lock
  holder.stdin.write('.')
  const status = await Promise.race([
    once(holder.stdout, 'data').then(() => 'held' as const),
    once(holder, 'exit').then(([code]) => code as number | null),
    once(holder, 'error').then(() => 'missing' as const),
  ])
  if (status === 1) {
    throw new UndoError(`another undo has been at work for more than ${PATIENCE_S} s`, {
      hint: 'see what it waits for; once it has ended: lightning-chaos drill undo',
    })
  }
  // where nobody can lock, undoing alone is better than not at all
  try {
    return await undo()
  } finally {
    holder.stdin.end()
  }
}
