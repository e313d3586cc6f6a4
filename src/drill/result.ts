/** Rounds of a drill as the one result type that every reporter draws. Pure. */
import { packTimeline } from '../history/packed-timeline.js'
import { timelineOf } from '../history/timeline.js'
import type { RunResult, TrialResult } from '../report/result.js'
import { historyOf } from './history.js'
import { judgeRound } from './judge.js'
import type { DrillPlan } from './plan.js'
import type { RoundRecord } from './record.js'

export interface DrillFacts {
  readonly plan: DrillPlan
  readonly title: string
  readonly service: string
  readonly tool: RunResult['tool']
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly durationMs: number
  readonly gate: number
  /** False where it ended before all rounds were done. */
  readonly complete: boolean
  /** The command that does it again. */
  readonly again: string
}

export function trialOf(record: RoundRecord, again: string): TrialResult {
  const { plan, round, durationMs } = record
  const judged = judgeRound(record)
  return {
    scenario: nameOf(plan),
    seed: plan.id,
    index: round,
    durationMs,
    replay: again,
    ...judged,
    timeline: packTimeline(timelineOf(historyOf(record, judged.judgement.evidence))),
  }
}

export function resultOf(facts: DrillFacts, trials: readonly TrialResult[]): RunResult {
  const { plan, title, service, tool, startedAt, durationMs, gate, complete } = facts
  return {
    tool,
    target: { name: `host ${plan.host}`, version: '', waived: {} },
    isolation: `none, a drill (${service})`,
    seed: plan.id,
    startedAt,
    durationMs,
    gate: { target: gate, allowDataLoss: false },
    complete,
    scenarios: [{ name: nameOf(plan), title, volume: plan.place?.type ?? '-', trials }],
  }
}

function nameOf({ fault }: DrillPlan): string {
  return `drill/${fault}`
}
