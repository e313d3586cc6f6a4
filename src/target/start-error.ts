import { ChaosError, ExitCode } from '../errors.js'

/** The program of a target could not be started at all. */
export class TargetNotStarted extends ChaosError {
  readonly code: string = 'TARGET_NOT_STARTED'
  readonly exitCode: ExitCode
  /** Name of the system's error: 'ENOENT'. */
  readonly errno: string

  constructor(command: readonly string[], cwd: string, cause: unknown) {
    const program = command[0] ?? ''
    const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown'
    const hint = HINTS[errno]?.(program, cwd)
    super(`cannot start the target '${program}': ${errno}`, hint === undefined ? { cause } : { cause, hint })
    this.errno = errno
    this.exitCode = hint === undefined ? ExitCode.host : ExitCode.usage
  }
}

/** Errors that another command line would not have. Every other one is the host's. */
const HINTS: Readonly<Record<string, (program: string, cwd: string) => string>> = {
  ENOENT: (program, cwd) =>
    `check that '${program}' is there, that the program its first line (#!) names is there too, and the directory ${cwd}`,
  EACCES: (program) =>
    `make it executable (chmod +x '${program}'), and every directory above it open to the user that runs it`,
  ENOTDIR: (program) => `a part of the path '${program}' is not a directory`,
  ENOEXEC: (program) => `'${program}' is not a program: name its interpreter in front of it`,
  ERR_INVALID_ARG_VALUE: () => 'the command is empty, or has a zero byte in it',
}
