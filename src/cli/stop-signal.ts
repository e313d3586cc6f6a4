/** When a run has to stop early: on a signal, or when the npx above us is gone. */
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
  const parent = process.ppid
  // npx does not pass SIGTERM on: it just ends, and leaves us behind (npm/cli#6547)
  const watch = startedByNpm()
    ? setInterval(() => process.ppid !== parent && stop('npx ended'), PARENT_CHECK_MS)
    : undefined
  try {
    return await use(controller.signal)
  } finally {
    clearInterval(watch)
    for (const name of SIGNALS) process.off(name, onSignal)
  }
}

function startedByNpm(): boolean {
  return process.env.npm_execpath !== undefined
}
