import { ChaosError, ExitCode } from '../errors.js'

/** A drill is not done, as it would not be safe or would prove nothing; nothing was touched. */
export class RefusedError extends ChaosError {
  readonly code = 'REFUSED'
  readonly exitCode = ExitCode.host
}

/** Something is mounted over a name, and hides what lies there. It is another's, and is asked nothing. */
export class CoveredError extends RefusedError {}

/** A fault could not be injected, and nothing of it is there: what looks like it is somebody else's, and stays. */
export class UntouchedError extends RefusedError {}

/** Something that a drill changed could not be put back; its journal is still there. */
export class UndoError extends ChaosError {
  readonly code = 'UNDO'
  readonly exitCode = ExitCode.internal
}
