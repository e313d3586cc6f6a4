import type { FaultName } from '../plan.js'
import { diskfull } from './diskfull.js'
import type { Fault } from './fault.js'
import { fdLimit } from './fd-limit.js'
import { immutable } from './immutable.js'
import { inodes } from './inodes.js'
import { permissions } from './permissions.js'
import { kill, pause } from './process.js'
import { quotaVolume } from './quota-volume.js'
import { readonly } from './readonly.js'
import { slow } from './slow.js'
import { stall } from './stall.js'

export const FAULTS: Readonly<Record<FaultName, Fault>> = {
  diskfull,
  inodes,
  permissions,
  readonly,
  immutable,
  slow,
  stall,
  pause,
  kill,
  'fd-limit': fdLimit,
  'quota-volume': quotaVolume,
}
