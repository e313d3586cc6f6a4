/**
 * What the tool says to a file system that is mounted: JSON, written to a file in its root whose name only the tool knows.
 * The answer is read from the same descriptor. A command takes effect between two operations.
 */
import type { Rule } from './rules.js'

export type Command =
  /** These rules, and no others, from now on. What hangs goes on. */
  | { readonly command: 'rules'; readonly rules: readonly Rule[]; readonly seed: string }
  /** Counts errors from now on. */
  | { readonly command: 'watch' }
  | { readonly command: 'state' }
  /** The power is cut: what was not synced is gone. No program may have a file open. */
  | { readonly command: 'cut' }
  /** The page cache is lost, and with it what a failed sync left there alone. */
  | { readonly command: 'evict' }
  /** Blocks at rest go bad, in files that a glob fits. */
  | {
      readonly command: 'rot'
      readonly path: string
      readonly how: Rot
      readonly blocks: number
      readonly seed: string
    }
  /** The trace is on disk as far as it goes. */
  | { readonly command: 'flush' }

const ROTS = ['flip', 'zeros', 'stale', 'misdirect'] as const
export type Rot = (typeof ROTS)[number]

export interface State {
  /** Of each rule: operations that fitted, and those it acted on. */
  readonly rules: readonly { readonly met: number; readonly acted: number }[]
  /** Operations on the target's files that were answered with an error since `watch`, by its name. */
  readonly errors: Readonly<Record<string, number>>
  /** Operations on the target's files since `watch`. */
  readonly operations: number
}

/** What a power cut took: files that lost content, and names that are as they were. */
export interface CutAnswer {
  readonly files: number
  readonly names: number
}

export interface RotAnswer {
  /** Path and offset in bytes of each block. */
  readonly blocks: readonly { readonly path: string; readonly offset: number }[]
}

export type Answer = { readonly ok: true } | { readonly error: string } | State | CutAnswer | RotAnswer
