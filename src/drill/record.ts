/** What happened in one round of a drill: pure data, and all that its judge sees. */
import type { Observation } from './faults/fault.js'
import type { Ending } from './keeper.js'
import type { DrillPlan } from './plan.js'
import type { Testimony } from './testimony.js'
import type { WorkloadRecord } from './workload.js'

/** `during`: from after the fault was on to before it was undone. What crosses an edge is in neither. */
export type Phase = 'before' | 'during' | 'after' | 'edge'

/** One answer of one probe. */
export interface Sample {
  /** Which of the probes. */
  readonly probe: number
  readonly phase: Phase
  /** Milliseconds since the round began. */
  readonly at: number
  readonly latencyMs: number
  /** Why it failed, in words; absent where it passed. */
  readonly error?: string
}

/** What the owner of a service expects of a probe. */
export interface Expectation {
  readonly name: string
  /** `pass`: every time. `fail`: at least once. */
  readonly during: 'pass' | 'fail' | 'any'
  /** A text that every failure has in it. */
  readonly says?: string
}

export interface RoundRecord {
  readonly plan: DrillPlan
  readonly round: number
  readonly errnos: readonly string[]
  readonly expectations: readonly Expectation[]
  readonly recoverMs: number
  readonly durationMs: number
  /** What the fault was, in words. */
  readonly injected: string
  /** From when to when it was on, in milliseconds since the round began. */
  readonly faulted: { readonly from: number; readonly to: number }
  /** From when to when the probes were asked after it. */
  readonly recovering: { readonly from: number; readonly to: number }
  readonly ending: Ending
  /** Why it ended before its time, in words. */
  readonly aborted?: string
  /** Of the witness, where the fault is about a place. */
  readonly before: readonly Testimony[]
  readonly during: readonly Testimony[]
  readonly after: readonly Testimony[]
  /** What the kernel showed, where the fault is about processes. */
  readonly observed: Readonly<Record<'before' | 'during' | 'after', Observation | undefined>>
  readonly samples: readonly Sample[]
  /** Of the workload that was attached. */
  readonly workload?: WorkloadRecord
}
