/** A trial as pure data: everything that running it again needs. */
import type { Scenario } from '../scenario/schema.js'
import type { TargetSpec } from '../target/spec.js'

export interface Limits {
  /** Longest wait for one answer of the target, in milliseconds; after that it is `hung`. */
  readonly answerMs: number
  /** Longest wait for writes to come back after a heal, in milliseconds. */
  readonly resumeMs: number
  /** Longest a whole trial may take, in milliseconds. */
  readonly trialMs: number
}

export interface Trial {
  readonly schema: 1
  readonly scenario: Scenario
  readonly target: TargetSpec
  /** Seed of this trial; everything random in it comes from here. */
  readonly seed: string
  /** The trial's number in its scenario, from 0. Sweeps derive their point from it. */
  readonly index: number
  readonly limits: Limits
}
