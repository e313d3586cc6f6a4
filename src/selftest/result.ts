/** What a self-test came to. Its JSON form is the report of `selftest --json`: add to it, change nothing. */
import type { Violation, ViolationKind } from '../oracle/violation.js'
import type { VerdictName } from '../report/result.js'

export interface SelftestResult {
  readonly schema: 1
  readonly tool: { readonly name: string; readonly version: string }
  /** How the trials were kept apart from the host. */
  readonly isolation: string
  readonly seed: string
  readonly durationMs: number
  /** False where it was interrupted. */
  readonly complete: boolean
  /** Every bug that this host can show was found, and nobody was accused who is right. */
  readonly met: boolean
  readonly broken: readonly BrokenResult[]
  readonly correct: readonly CorrectResult[]
}

export type BrokenResult = {
  readonly name: string
  readonly bug: string
  readonly expects: readonly ViolationKind[]
} & (
  | {
      readonly outcome: 'found'
      readonly trials: number
      readonly scenario: string
      readonly violation: Omit<Violation, 'at'>
      readonly replay: string
    }
  /** `instead`: what its trials showed, one by one. */
  | { readonly outcome: 'missed'; readonly trials: number; readonly instead: readonly Sight[] }
  | { readonly outcome: 'skipped'; readonly why: string }
)

export type CorrectResult = { readonly name: string } & (
  | {
      readonly outcome: 'clean' | 'accused'
      readonly version: string
      readonly trials: number
      readonly passed: number
      /** Trials that did not pass. */
      readonly accusations: readonly Sight[]
      /** What this host cannot run, and why. */
      readonly skipped: readonly { readonly scenario: string; readonly why: string }[]
    }
  | { readonly outcome: 'skipped'; readonly why: string }
)

/** A trial that ended in another way than it should have. */
export interface Sight {
  readonly scenario: string
  readonly verdict: VerdictName
  /** In words; absent where it passed. */
  readonly reason?: string
  readonly replay: string
}
