/** The one result type. Every reporter is a function of it, and its JSON form is the report (see DESIGN in ARCHITECTURE.md). */
import type { Event } from '../history/events.js'
import type { PackedTimeline } from '../history/packed-timeline.js'
import type { Violation } from '../oracle/violation.js'
import type { PromiseId } from '../target/contract.js'
import type { Baseline } from './baseline.js'
import type { KnownFailure } from './known.js'

export type VerdictName = 'passed' | 'failed' | 'inconclusive' | 'skipped' | 'error'

/** How often an error was seen, by grade of the evidence. */
export type EvidenceCount = Readonly<Record<string, { readonly direct: number; readonly probe: number }>>

/** What the judge says of a history. */
export interface Judgement {
  readonly verdict: 'passed' | 'failed' | 'inconclusive'
  /** Why it did not pass, in words. */
  readonly reason?: string
  readonly violations: readonly Violation[]
  /** Broken promises that the contract does not make, so that they do not count. */
  readonly waived: readonly { readonly promise: PromiseId; readonly summary: string }[]
  readonly evidence: EvidenceCount
  readonly operations: {
    readonly acked: number
    readonly refused: number
    readonly unknown: number
    readonly reads: number
  }
}

/** How one of several runs of a trial ended. */
export interface TrialRun {
  readonly verdict: VerdictName
  readonly violations: readonly Violation[]
}

/** One trial's outcome. */
export interface TrialResult {
  readonly scenario: string
  readonly seed: string
  readonly index: number
  readonly verdict: VerdictName
  /** Why it was skipped, inconclusive or an error, in words. */
  readonly reason?: string
  readonly judgement?: Judgement
  /** With --repeat-each: every run of this trial, in order. The rest is of the worst of them, but for the time. */
  readonly runs?: readonly TrialRun[]
  /** Of all runs together. */
  readonly durationMs: number
  /** The command that runs this trial again. */
  readonly replay: string
  /** What a picture of the trial needs. Kept for every trial that ran. */
  readonly timeline?: PackedTimeline
  /** Kept for trials that did not pass. */
  readonly history?: readonly Event[]
  /** The end of the target's stderr, kept for trials that did not pass. */
  readonly targetLog?: string
  /** Directory with the volume's files, with --keep. */
  readonly kept?: string
  /** Why they could not be kept, in words. */
  readonly notKept?: string
}

export interface ScenarioResult {
  readonly name: string
  readonly title: string
  readonly volume: string
  readonly trials: readonly TrialResult[]
}

/** Trials of a scenario that are going to be run. */
export interface PlannedScenario {
  readonly name: string
  readonly trials: number
}

/** Which part of a run a result is of. */
export interface Shard {
  /** From 1. */
  readonly index: number
  readonly total: number
  /** Who said so: an option, or variables of the environment. */
  readonly from: string
  /** What the user called the target. */
  readonly called: string
  /** All trials that the shards have together. */
  readonly planned: readonly PlannedScenario[]
}

/** What the gate asks for. Shares are from 0 to 1. */
interface GateTerms {
  readonly target: number
  readonly allowDataLoss: boolean
  readonly confidence?: number
  readonly known?: readonly KnownFailure[]
  /** Set where the run is compared with an earlier one. */
  readonly baseline?: Baseline
}

export interface RunResult {
  readonly tool: { readonly name: string; readonly version: string }
  readonly target: {
    readonly name: string
    readonly version: string
    readonly waived: Readonly<Partial<Record<PromiseId, string>>>
  }
  readonly isolation: string
  readonly seed: string
  /** Present where this is one part of a run. */
  readonly shard?: Shard
  /** Present where it was put together from so many parts. */
  readonly shards?: number
  /** How often each trial is run; once, unless given. */
  readonly repeatEach?: number
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly durationMs: number
  readonly gate: GateTerms
  /** False where the run was interrupted or bailed out. */
  readonly complete: boolean
  readonly scenarios: readonly ScenarioResult[]
}
