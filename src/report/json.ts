/** The JSON report. Its form is an interface: add to it, change nothing. */

import type { Severity, ViolationKind } from '../oracle/violation.js'
import type { Contract } from '../target/contract.js'
import type { Baseline, Difference } from './baseline.js'
import { flakyTrials, violationsOf } from './flaky.js'
import { judgeGate } from './gate.js'
import { groupReasons, groupWaived, type WaivedGroup } from './groups.js'
import type { Known, KnownOutcome } from './known.js'
import type { EvidenceCount, RunResult, ScenarioResult, Shard, TrialResult, VerdictName } from './result.js'
import { type Counts, countVerdicts, passRate, sumEvidence } from './stats.js'

export interface JsonReport {
  readonly schema: 1
  readonly tool: { readonly name: string; readonly version: string }
  readonly target: { readonly name: string; readonly version: string; readonly contract: Contract }
  /** How the trials were kept apart from the host. */
  readonly isolation: string
  readonly seed: string
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly durationMs: number
  /** Present where this is one part of a run, from 1 to total. */
  readonly shard?: { readonly index: number; readonly total: number; readonly from: string }
  /** Present where it was put together from so many parts. */
  readonly shards?: number
  /** How often each trial was run; absent where it was once. A trial counts once, as its worst run. */
  readonly repeatEach?: number
  /** The trials of which two runs differ. Present with repeatEach. */
  readonly flaky?: readonly JsonFlaky[]
  /** False where the run was interrupted or bailed out. */
  readonly complete: boolean
  readonly gate: JsonGate
  /** Present with --baseline. */
  readonly baseline?: JsonBaseline
  /** Present where there are known failures: what became of each whose scenarios were tried. */
  readonly known?: readonly KnownOutcome[]
  readonly scenarios: readonly JsonScenario[]
}

interface JsonFlaky {
  readonly scenario: string
  /** Seed of the trial. */
  readonly trial: string
  /** Every run, in order. */
  readonly runs: readonly { readonly verdict: VerdictName; readonly violations: readonly ViolationKind[] }[]
  readonly replay: string
}

interface JsonGate {
  /** Rates are from 0 to 1. */
  readonly target: number
  /** Of all trials but those that failed in a known way. */
  readonly passRate: number
  /** Number of violations of the data-loss kind that are not known. */
  readonly dataLoss: number
  readonly met: boolean
  readonly allowDataLoss: boolean
  /** Present with --confidence: the bound then counts in the place of the rate. */
  readonly confidence?: { readonly level: number; readonly lowerBound: number }
  /** Why it is not met, in words. */
  readonly reasons: readonly string[]
}

/** The run that this one was compared with. */
interface JsonBaseline extends Omit<Baseline, 'scenarios'> {
  readonly scenarios: readonly Difference[]
}

interface JsonScenario extends Counts {
  readonly name: string
  readonly title: string
  readonly volume: string
  /** passed / (passed + failed + inconclusive + errors), 0 where that is nothing. */
  readonly passRate: number
  /** How many of the failed trials failed in no other way than a known one. Present where there are any. */
  readonly known?: number
  readonly evidence: EvidenceCount
  readonly violations: readonly JsonViolation[]
  /** Broken promises that the contract does not make. */
  readonly waived: readonly WaivedGroup[]
  /** Why trials were skipped, inconclusive or errors; `trial` and `replay` are of the first such trial. */
  readonly reasons: readonly {
    readonly verdict: VerdictName
    readonly reason: string
    readonly trials: number
    readonly trial: string
    readonly replay: string
  }[]
}

interface JsonViolation {
  readonly kind: ViolationKind
  readonly severity: Severity
  readonly summary: string
  /** Seed of the trial. */
  readonly trial: string
  /** The command that runs this trial again. */
  readonly replay: string
  /** Directory with the volume's files, with --keep. */
  readonly kept?: string
  /** Why it does not count against the gate. Present where it is known. */
  readonly known?: string
}

export function jsonReport(run: RunResult): JsonReport {
  const { name, version, waived } = run.target
  const { met, passRate: rate, dataLoss, reasons, confidence, known, differences } = judgeGate(run)
  const { target, allowDataLoss, baseline } = run.gate
  return {
    schema: 1,
    tool: run.tool,
    target: { name, version, contract: { waived } },
    isolation: run.isolation,
    seed: run.seed,
    startedAt: run.startedAt,
    durationMs: run.durationMs,
    ...(run.shard === undefined ? {} : { shard: jsonShard(run.shard) }),
    ...(run.shards === undefined ? {} : { shards: run.shards }),
    ...(run.repeatEach === undefined
      ? {}
      : { repeatEach: run.repeatEach, flaky: flakyTrials(run).map(jsonFlaky) }),
    complete: run.complete,
    gate: {
      target,
      passRate: rate,
      dataLoss,
      met,
      allowDataLoss,
      ...(confidence === undefined ? {} : { confidence }),
      reasons,
    },
    ...(baseline === undefined || differences === undefined
      ? {}
      : { baseline: { ...baseline, scenarios: differences } }),
    ...(known.outcomes.length === 0 ? {} : { known: known.outcomes }),
    scenarios: run.scenarios.map((scenario) => jsonScenario(scenario, known)),
  }
}

function jsonShard({ index, total, from }: Shard): NonNullable<JsonReport['shard']> {
  return { index, total, from }
}

function jsonFlaky({ scenario, seed, runs = [], replay }: TrialResult): JsonFlaky {
  const kinds = ({ violations }: (typeof runs)[number]) => [...new Set(violations.map(({ kind }) => kind))]
  return {
    scenario,
    trial: seed,
    runs: runs.map((each) => ({ verdict: each.verdict, violations: kinds(each) })),
    replay,
  }
}

function jsonScenario(scenario: ScenarioResult, known: Known): JsonScenario {
  const { name, title, volume, trials } = scenario
  const counts = countVerdicts(trials)
  const excused = trials.filter(known.excuses).length
  return {
    name,
    title,
    volume,
    ...counts,
    passRate: passRate(counts),
    ...(excused === 0 ? {} : { known: excused }),
    evidence: sumEvidence(trials),
    violations: trials.flatMap((trial) =>
      violationsOf(trial).map((violation) => {
        const { seed, replay, kept } = trial
        const { kind, severity, summary } = violation
        const excuse = known.excuse(name, violation)
        return {
          kind,
          severity,
          summary,
          trial: seed,
          replay,
          ...(kept === undefined ? {} : { kept }),
          ...(excuse === undefined ? {} : { known: excuse.reason }),
        }
      }),
    ),
    waived: groupWaived(trials),
    reasons: groupReasons(trials).map(({ verdict, reason, trials: [first, ...rest] }) => ({
      verdict,
      reason,
      trials: 1 + rest.length,
      trial: first.seed,
      replay: first.replay,
    })),
  }
}
