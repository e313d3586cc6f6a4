/**
 * Runs a program of the host (mount, mkfs, chattr …) from inside the sandbox: argument arrays, no shell, C locale.
 * Not execa: loading it costs 140 ms, and a sandbox is started for every trial.
 */
import { execFile } from 'node:child_process'
import { ChaosError, ExitCode } from '../errors.js'

/** A program of the host failed, or is not there. */
export class CommandError extends ChaosError {
  readonly code = 'COMMAND'
  readonly exitCode = ExitCode.internal
  /** Exit status; undefined where the program could not be started. */
  readonly status: number | undefined
  readonly stderr: string

  constructor(command: readonly string[], status: number | undefined, stderr: string, cause: unknown) {
    const what = status === undefined ? 'could not be started' : `exited with ${status}`
    super(`${command.join(' ')} ${what}${stderr === '' ? '' : `: ${stderr}`}`, { cause })
    this.status = status
    this.stderr = stderr
  }
}

/** An ordinary user's PATH often lacks the directories that mkfs and losetup live in. */
export const COMMAND_PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`

/** @returns what the program wrote to stdout; @throws CommandError when it fails */
export function command(...argv: readonly [string, ...string[]]): Promise<string> {
  const [file, ...args] = argv
  return new Promise((resolve, reject) => {
    execFile(
      file,
      args,
      { env: { ...process.env, PATH: COMMAND_PATH, LC_ALL: 'C' }, maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout)
        else
          reject(
            new CommandError(
              argv,
              typeof error.code === 'number' ? error.code : undefined,
              stderr.trim(),
              error,
            ),
          )
      },
    )
  })
}
