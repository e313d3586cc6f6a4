import { ChaosError, ExitCode } from '../errors.js'

/** A drill is not done, as it would not be safe or would prove nothing; nothing was touched. */
export class RefusedError extends ChaosError {
  readonly code = 'REFUSED'
  readonly exitCode = ExitCode.host
}

/** Something that a drill changed could not be put back; its journal is still there. */
export class UndoError extends ChaosError {
  readonly code = 'UNDO'
  readonly exitCode = ExitCode.internal
}
