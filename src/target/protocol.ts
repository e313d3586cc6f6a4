/**
 * The target protocol, version 1: JSON lines on the target's stdin and stdout.
 * docs/target-protocol.md is its text for people; this file is its types.
 */

export const PROTOCOL_VERSION = 1

export const ERROR_KINDS = [
  'disk-full',
  'quota',
  'permission',
  'read-only',
  'io',
  'corruption',
  'too-many-files',
  'out-of-memory',
  'busy',
  'unsupported',
  'internal',
] as const
export type ErrorKind = (typeof ERROR_KINDS)[number]

/** An error as a target reports it. */
export interface TargetError {
  readonly code: string
  readonly kind: ErrorKind
  readonly recoverable: boolean
  readonly message: string
}

/**
 * The kinds that mean 'refused': the operation did not happen and never will. Every other kind leaves it
 * unknown whether it did (after a failed fsync, say), which the history records as `info`.
 */
export const REFUSALS: ReadonlySet<ErrorKind> = new Set([
  'disk-full',
  'quota',
  'permission',
  'read-only',
  'too-many-files',
  'busy',
  'unsupported',
])

export const REQUIRED_OPS = ['put', 'get', 'scan'] as const
export const OPTIONAL_OPS = ['delete', 'batch', 'sync', 'compact'] as const
export type DataOp = (typeof REQUIRED_OPS)[number] | (typeof OPTIONAL_OPS)[number]

/** One write of a batch on the wire. */
export type WireWrite = readonly ['put', string, string] | readonly ['delete', string]

/** A request without its id. */
export type Request =
  | { readonly op: 'hello' }
  | { readonly op: 'open'; readonly dir: string }
  | { readonly op: 'put'; readonly key: string; readonly value: string }
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'delete'; readonly key: string }
  | { readonly op: 'batch'; readonly ops: readonly WireWrite[] }
  /** Entries with a key greater than `after` (all where it is absent), in the order of their UTF-8 bytes. */
  | { readonly op: 'scan'; readonly after?: string; readonly limit: number }
  | { readonly op: 'sync' }
  | { readonly op: 'compact' }
  | { readonly op: 'close' }

export type OpenMode = 'read-write' | 'read-only'

export interface Hello {
  readonly protocol: number
  readonly name: string
  readonly version: string
  readonly ops: readonly DataOp[]
}

/** The body of a response that says ok; which fields are there depends on the request. */
export interface OkBody {
  readonly ok: true
  readonly mode?: OpenMode
  readonly value?: string | null
  readonly entries?: readonly (readonly [string, string])[]
  readonly [field: string]: unknown
}

interface ErrorBody {
  readonly ok: false
  readonly error: TargetError
}

export type Response = OkBody | ErrorBody
