/** When a run has to stop early: on a signal, or when the npx above us is gone. */
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { ChaosError, ExitCode } from '../errors.js'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** npx sends a second SIGINT with every Ctrl-C; one that comes later than this is the user's. */
const SAME_CTRL_C_MS = 1000
const PARENT_CHECK_MS = 250

/** Why a run was stopped. */
class Interrupted extends ChaosError {
  readonly code = 'INTERRUPTED'
  readonly exitCode = ExitCode.interrupted
}

/**
 * Calls `use` with a signal that is aborted when the run has to stop. A second Ctrl-C ends the process at once:
 * the kernel undoes everything then, too.
 */
export async function withStopSignal<T>(use: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  let stoppedAt: number | undefined
  const stop = (reason: string) => {
    stoppedAt ??= performance.now()
    controller.abort(new Interrupted(reason))
  }
  const onSignal = (name: (typeof SIGNALS)[number]) => {
    if (stoppedAt !== undefined && performance.now() - stoppedAt > SAME_CTRL_C_MS) {
      process.exit(128 + constants.signals[name])
    }
    stop(`stopped by ${name}`)
  }
  for (const name of SIGNALS) process.on(name, onSignal)
  const watch = watchNpm(() => stop('npx ended'))
  try {
    return await use(controller.signal)
  } finally {
    clearInterval(watch)
    for (const name of SIGNALS) process.off(name, onSignal)
  }
}

/** npx does not pass SIGTERM on, nor SIGKILL of course: it just ends, and leaves us behind (npm/cli#6547). */
function watchNpm(onGone: () => void): NodeJS.Timeout | undefined {
  if (process.env.npm_execpath === undefined) return undefined
  const child = childOfNpm()
  const npm = parentOf(child)
  return setInterval(() => parentOf(child) !== npm && onGone(), PARENT_CHECK_MS)
}

/** Us, or the shell that npm starts us with, which may or may not replace itself with us. */
function childOfNpm(): number {
  const isShell = read(process.ppid, 'cmdline').split('\0')[1] === '-c'
  return isShell ? process.ppid : process.pid
}

/** proc_pid_stat(5), field 4; undefined where there is no such process any more. */
function parentOf(pid: number): string | undefined {
  const stat = read(pid, 'stat')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]
}

function read(pid: number, file: 'cmdline' | 'stat'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return '' // it has ended, or there is no /proc
  }
}
