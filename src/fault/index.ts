import type { FaultKind } from './fault.js'
import { ballast } from './ballast.js'

/** Every fault there is. */
export const FAULTS: readonly [FaultKind, ...FaultKind[]] = [ballast]
