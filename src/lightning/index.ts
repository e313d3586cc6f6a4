/** lightning, an append-only log store. docs/lightning.md says what it promises and how it keeps that. */
export {
  ClosedError,
  CorruptionError,
  DiskFullError,
  IoError,
  LightningError,
  type LightningErrorKind,
  LockedError,
  PermissionError,
  ReadOnlyError,
  TooManyFilesError,
  UsageError,
} from './errors.js'
export type { Recovered } from './log.js'
export { type Salvaged, salvage } from './salvage.js'
export { type BatchWrite, type Mode, type OpenOptions, type Stats, Store, type Value } from './store.js'
export { type Damage, type Verification, verify } from './verify.js'
