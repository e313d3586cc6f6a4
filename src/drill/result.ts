/** Rounds of a drill as the one result type that every reporter draws. Pure. */
import { packTimeline } from '../history/packed-timeline.js'
import { timelineOf } from '../history/timeline.js'
import type { RunResult, TrialResult } from '../report/result.js'
import type { TargetSpec } from '../target/spec.js'
import { historyOf } from './history.js'
import { judgeRound, type RoundVerdict } from './judge.js'
import type { DrillPlan } from './plan.js'
import type { RoundRecord } from './record.js'

export interface DrillFacts {
  readonly plan: DrillPlan
  readonly title: string
  readonly service: string
  /** Of an attached workload. */
  readonly attach?: Pick<TargetSpec, 'name' | 'contract'> | undefined
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
  const { plan, round, durationMs, workload } = record
  const judged = withWorkload(judgeRound(record), workload)
  const history = workload?.history ?? historyOf(record, judged.judgement.evidence)
  return {
    scenario: nameOf(plan),
    seed: plan.id,
    index: round,
    durationMs,
    replay: again,
    ...judged,
    timeline: packTimeline(timelineOf(history)),
  }
}

/** What the probes show and what the oracle finds: both have to be well. */
function withWorkload(round: RoundVerdict, workload: RoundRecord['workload']): RoundVerdict {
  if (workload === undefined) return round
  const { verdict, reason, violations, waived, operations } = workload.judgement
  const judgement = {
    ...round.judgement,
    violations: [...round.judgement.violations, ...violations],
    waived,
    operations,
  }
  if (round.verdict === 'error' || verdict === 'passed') return { ...round, judgement }
  if (verdict === 'inconclusive' && round.verdict !== 'passed') return { ...round, judgement }
  const why = reason === undefined ? {} : { reason: `${workload.target}: ${reason}` }
  return { verdict, ...why, judgement: { ...judgement, verdict } }
}

export function resultOf(facts: DrillFacts, trials: readonly TrialResult[]): RunResult {
  const { plan, title, service, attach, tool, startedAt, durationMs, gate, complete } = facts
  return {
    tool,
    target: {
      name: attach === undefined ? `host ${plan.host}` : `host ${plan.host}, with ${attach.name}`,
      version: '',
      waived: attach?.contract.waived ?? {},
    },
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
