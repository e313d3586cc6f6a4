/** What the page of the HTML report is told: plain data, all of it in words, so that the page judges nothing. */
import type { PackedTimeline } from '../history/packed-timeline.js'
import type { Severity, ViolationKind } from '../oracle/violation.js'
import type { ExcerptRow } from './excerpt.js'
import type { LogLine } from './log-excerpt.js'
import type { VerdictName } from './result.js'
import type { Counts } from './stats.js'

export interface Page {
  /** Name and version. */
  readonly tool: string
  /** ISO 8601, UTC. */
  readonly startedAt: string
  /** What was run and how. */
  readonly facts: readonly string[]
  readonly gate: {
    readonly met: boolean
    readonly line: string
    /** What keeps it from being met; empty where it is. */
    readonly reasons: readonly string[]
    /** The rate that it asks for, from 0 to 1. */
    readonly target: number
  }
  readonly counts: Counts
  /** Of the trials that the gate counts; undefined where there are none. */
  readonly rate: PageRate | undefined
  /** Against a baseline: a heading, then what got worse, better, or could not be compared; else empty. */
  readonly comparison: readonly string[]
  /** What else has to be known to read the table rightly. */
  readonly notes: readonly string[]
  readonly columns: readonly { readonly head: string; readonly numeric: boolean }[]
  readonly scenarios: readonly PageScenario[]
}

/** A share of trials. Numbers are from 0 to 1. */
interface PageRate {
  readonly share: number
  readonly low: number
  readonly high: number
  /** '95.2% (20/21)'. */
  readonly text: string
  /** 'between 77.3% and 99.1% with 95% confidence'. */
  readonly interval: string
}

export interface PageScenario {
  readonly name: string
  readonly family: string
  readonly title: string
  /** What is in each column of the table: lines, and how good or bad that is. */
  readonly cells: readonly { readonly text: string; readonly colour?: string }[]
  /** The same violations of several trials, told once; data loss first. */
  readonly violations: readonly PageViolationGroup[]
  readonly trials: readonly PageTrial[]
}

interface PageViolationGroup {
  readonly kind: ViolationKind
  readonly severity: Severity
  readonly summary: string
  /** '3 times in 2 trials'; empty where it was once. */
  readonly often: string
  /** The first trial that shows it. */
  readonly trial: string
  /** Set where it does not count against the gate: why. */
  readonly known?: string
}

export interface PageTrial {
  /** Its seed, a dot, its number. */
  readonly id: string
  readonly verdict: VerdictName
  /** Why it was skipped, inconclusive or an error, in words. */
  readonly reason?: string
  readonly durationMs: number
  /** The command that runs it again. */
  readonly replay: string
  /** Where its files are. */
  readonly kept: readonly string[]
  readonly violations: readonly PageViolation[]
  /** Broken promises that the contract does not make. */
  readonly waived: readonly string[]
  /** 'ENOSPC direct 45 probe 2'. */
  readonly evidence: string
  /** Writes that were acked, refused or left unknown, and reads; absent where nothing was judged. */
  readonly operations?: readonly [acked: number, refused: number, unknown: number, reads: number]
  readonly timeline?: PackedTimeline
  /** Absent where its history was not kept; null where it would have made the report too large. */
  readonly details?: PageDetails | null
}

interface PageViolation {
  readonly kind: ViolationKind
  readonly severity: Severity
  readonly summary: string
  readonly known?: string
}

export interface PageDetails {
  /** Of each violation, the history around it; of a trial without any, how it ended. */
  readonly excerpts: readonly (readonly ExcerptRow[])[]
  /** The target's log at that time. */
  readonly log: readonly LogLine[]
}
