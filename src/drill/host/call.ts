/** The commands by which a user stops and starts a service: they may do, and leave running, whatever they like. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { HostError } from '../../errors.js'

/** Longest that one may take: systemd gives a unit 90 s to stop, or to start. */
const CALL_MS = 100_000

/** Runs a command, and ends it where it is not back in time, or is not waited for any more. @throws HostError where it fails, or is late */
export async function callInTime(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  abort: AbortSignal = new AbortController().signal,
): Promise<void> {
  const late = await call(argv, env, AbortSignal.any([abort, AbortSignal.timeout(CALL_MS)]))
  if (late === undefined) return
  killGroup(late)
  if (abort.aborted) return
  throw new HostError(`'${argv.join(' ')}' has not come back after ${CALL_MS / 1000} s`, {
    hint: 'it has to come back once the service is stopped, or runs',
  })
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // it has just ended
  }
}

/**
 * Runs a command of the user's, in a session of its own, whose output may stay open with whatever it starts.
 * @returns the number of its process, where it is not back when it is not waited for any more
 * @throws HostError where it fails
 */
export async function call(
  [program = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<number | undefined> {
  const options = { cwd: '/', env: { ...process.env, ...env }, stdio: 'ignore', detached: true } as const
  const child = spawn(program, args, options)
  let cause: Error | undefined
  const [code, killedBy] = await once(child, 'exit', { signal }).catch((error: Error) => {
    cause = error
    return [error.message]
  })
  if (code === 0) return undefined
  if (signal.aborted && child.pid !== undefined && child.exitCode === null) {
    child.unref()
    return child.pid
  }
  throw new HostError(`'${[program, ...args].join(' ')}' failed: ${killedBy ?? code}`, { cause })
}
