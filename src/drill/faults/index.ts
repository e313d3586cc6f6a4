import type { FaultName } from '../plan.js'
import { diskfull } from './diskfull.js'
import type { Fault } from './fault.js'
import { permissions } from './permissions.js'

export const FAULTS: Readonly<Record<FaultName, Fault>> = { diskfull, permissions }
