/**
 * What the tool says to a file system that is mounted: JSON, written to a file in its root whose name only the tool knows.
 * The answer is read from the same descriptor. A command takes effect between two operations.
 */
import type { Rule } from './rules.js'

export type Command =
  /** One rule more. @see Added */
  | { readonly command: 'add'; readonly rule: Rule; readonly seed: string }
  /** One rule less. What it holds up goes on. */
  | { readonly command: 'remove'; readonly number: number }
  /** Counts errors from now on. */
  | { readonly command: 'watch' }
  | { readonly command: 'state' }
  /** The power is cut: what was not synced is gone. No program may have a file open. */
  | { readonly command: 'cut' }
  /** The page cache is lost, and with it what a failed sync left there alone. */
  | { readonly command: 'evict' }
  /** The trace is on disk as far as it goes. */
  | { readonly command: 'flush' }

export interface State {
  /** Of each rule that is on, by its number: operations that fitted, and those it acted on. */
  readonly rules: Readonly<Record<number, { readonly met: number; readonly acted: number }>>
  /** Operations on the target's files that were answered with an error since `watch`, by its name. */
  readonly errors: Readonly<Record<string, number>>
  /** Operations on the target's files since the power was cut last. */
  readonly operations: number
}

/** The number that a rule was given. */
export interface Added {
  readonly number: number
}

/** What a power cut took: files that lost content, and names that are as they were. */
export interface CutAnswer {
  readonly files: number
  readonly names: number
}

export type Answer = { readonly ok: true } | { readonly error: string } | State | Added | CutAnswer
