import { ballast, inodes, thin } from './ballast.js'
import { diskError, diskLostWrite, diskPowerCut, diskStall } from './disk.js'
import type { FaultKind } from './fault.js'
import {
  bitRot,
  fsyncgate,
  interruption,
  ioError,
  lostSync,
  powerCut,
  slow,
  spaceError,
  tornWrite,
} from './glass.js'
import { descriptors, fileSize, qgroup } from './limits.js'
import { chmod, chown, immutable } from './permissions.js'
import { fsError, readOnlyMount } from './read-only.js'

/** Every fault there is. */
export const FAULTS: readonly [FaultKind, ...FaultKind[]] = [
  ballast,
  inodes,
  fileSize,
  descriptors,
  qgroup,
  thin,
  chmod,
  chown,
  immutable,
  readOnlyMount,
  fsError,
  ioError,
  spaceError,
  interruption,
  slow,
  tornWrite,
  bitRot,
  fsyncgate,
  lostSync,
  powerCut,
  diskError,
  diskStall,
  diskLostWrite,
  diskPowerCut,
]

/** Every error that the kernel's trace is asked for as the evidence of a fault. */
export const TRACED_ERRNOS: readonly string[] = [
  ...new Set(FAULTS.filter(({ seesItself }) => !seesItself).flatMap(({ errnos }) => errnos)),
]
