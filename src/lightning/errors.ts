/** The errors of the store. docs/errors.md is the table for people: what causes each, and what helps. */

import { constants } from 'node:os'

/** What an error means to the caller. The kinds of the target protocol, of which the store uses these. */
export type LightningErrorKind =
  | 'disk-full'
  | 'quota'
  | 'permission'
  | 'read-only'
  | 'io'
  | 'corruption'
  | 'too-many-files'
  | 'busy'
  | 'unsupported'

export abstract class LightningError extends Error {
  abstract readonly kind: LightningErrorKind
  /** True where nothing is damaged: once the cause is gone, the same call works, at the latest after a reopen. */
  abstract readonly recoverable: boolean
  /** The errno's name where the system refused ('ENOSPC'), else one of the store's own. */
  readonly code: string

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
  }
}

/** No room (ENOSPC), over quota (EDQUOT), or a file may grow no further (EFBIG). The write did not happen. */
export class DiskFullError extends LightningError {
  readonly recoverable = true
  get kind(): 'quota' | 'disk-full' {
    return this.code === 'EDQUOT' ? 'quota' : 'disk-full'
  }
}

/** The system does not permit it (EACCES, EPERM). The write did not happen. */
export class PermissionError extends LightningError {
  readonly kind = 'permission'
  readonly recoverable = true
}

/** The store, or the file system under it (EROFS), is read-only. `cause` says why. The write did not happen. */
export class ReadOnlyError extends LightningError {
  readonly kind = 'read-only'
  readonly recoverable = true
}

/**
 * The device failed. Of a write: it is not known whether it happened, and the store takes no more
 * writes until it was closed and opened again.
 */
export class IoError extends LightningError {
  readonly kind = 'io'
  readonly recoverable = true
}

/** Bytes that were once durable are not what was written. `verify` lists all of it, `salvage` keeps the rest. */
export class CorruptionError extends LightningError {
  readonly kind = 'corruption'
  readonly recoverable = false
  /** Path of the damaged file. */
  readonly file: string
  /** Where the damage begins, in bytes from the start of the file. */
  readonly offset: number
  /** What is wrong there, in words. */
  readonly reason: string

  constructor(file: string, offset: number, reason: string) {
    super('ECORRUPT', `${file} is damaged at byte ${offset}: ${reason}`)
    this.reason = reason
    this.file = file
    this.offset = offset
  }
}

/** Another store has this directory open for writing. */
export class LockedError extends LightningError {
  readonly kind = 'busy'
  readonly recoverable = true
}

/** No file descriptor is left, in this process (EMFILE) or on this host (ENFILE). It did not happen. */
export class TooManyFilesError extends LightningError {
  readonly kind = 'too-many-files'
  readonly recoverable = true
}

/** The store was closed. */
export class ClosedError extends LightningError {
  readonly kind = 'unsupported'
  readonly recoverable = false
}

/** The call asks for something that the store does not do: an empty key, a value that is too long. */
export class UsageError extends LightningError {
  readonly kind = 'unsupported'
  readonly recoverable = false
}

/**
 * The typed error for what a system call threw; errors of the store pass through.
 * @param doing what was being done, as in 'append to 0000000001.log'
 */
export function errorFrom(error: unknown, doing: string): LightningError {
  if (error instanceof LightningError) return error
  const code = errnoOf(error)
  if (code === undefined) throw error
  const message = `cannot ${doing}: ${(error as Error).message}`
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new DiskFullError(code, message, error)
    case 'EACCES':
    case 'EPERM':
      return new PermissionError(code, message, error)
    case 'EROFS':
      return new ReadOnlyError(code, message, error)
    case 'EMFILE':
    case 'ENFILE':
      return new TooManyFilesError(code, message, error)
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
    case 'ELOOP':
      return new UsageError(code, message, error)
    default:
      return new IoError(code, message, error)
  }
}

/** The errno's name of a system error; undefined where `error` is something else. */
export function errnoOf(error: unknown): string | undefined {
  const { code, errno, syscall } = (error ?? {}) as NodeJS.ErrnoException
  // libuv has no name for this one: the code is 'UNKNOWN', or says 'Unknown system error -122'
  if (errno === -constants.errno.EDQUOT) return 'EDQUOT'
  return typeof code === 'string' && syscall !== undefined ? code : undefined
}
