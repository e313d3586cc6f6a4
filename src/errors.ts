/**
 * The tool's own errors. Each carries the exit code that it means to the user, so that the command line
 * maps an error to a code in one place. Errors of the bundled database live in src/lightning/errors.ts.
 */

/** What `lightning-chaos` exits with. The numbers are an interface: CI jobs branch on them. */
export const ExitCode = {
  gateMet: 0,
  gateMissed: 1,
  usage: 2,
  host: 3,
  internal: 4,
  interrupted: 130,
} as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** Base of every error that the tool raises on purpose. `hint` says what the user can do instead. */
export abstract class ChaosError extends Error {
  abstract readonly code: string
  abstract readonly exitCode: ExitCode
  readonly hint: string | undefined

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.hint = options.hint
  }
}

/** The command line, a scenario, a target file or the config is wrong; nothing was run. */
export class UsageError extends ChaosError {
  readonly code: string = 'USAGE'
  readonly exitCode = ExitCode.usage
}

/** This host cannot do what was asked; `hint` names the command that would change that. */
export class HostError extends ChaosError {
  readonly code: string = 'HOST'
  readonly exitCode = ExitCode.host
}

/** The tool failed at its own work (a sandbox that died, a mount that could not be undone). */
export class InternalError extends ChaosError {
  readonly code: string = 'INTERNAL'
  readonly exitCode = ExitCode.internal
}
