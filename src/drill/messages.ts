/** What the tool and its watchdog say to each other: a line of JSON each. */
import type { Undone } from './faults/fault.js'
import type { DrillPlan } from './plan.js'

/** Why a fault is undone that has had its time. */
export const TIME_IS_UP = 'the time is up'

/** The first line that a watchdog is told. After it, the end of its stdin means: undo. */
export interface WatchdogOrder {
  readonly plan: DrillPlan
  readonly state: string
}

export type WatchdogNews =
  /** The journal is complete; what follows may be there. */
  | { readonly is: 'armed'; readonly things: number }
  | { readonly is: 'injected'; readonly detail: string }
  /** The time is up, or it was told to. */
  | { readonly is: 'undoing'; readonly why: string; readonly direct: Readonly<Record<string, number>> }
  | ({ readonly is: 'undone' } & Undone)
  /** `undone`: nothing is left to be undone. Else the journal is still there. */
  | { readonly is: 'failed'; readonly undone: boolean; readonly message: string; readonly hint?: string }
