/** Results of runs for the tests of reporters and gates. */
import { VIOLATION_SEVERITY, type Violation, type ViolationKind } from '../oracle/violation.js'
import type { Judgement, RunResult, ScenarioResult, TrialResult, VerdictName } from '../report/result.js'

export function violation(kind: ViolationKind, summary: string): Violation {
  return { kind, severity: VIOLATION_SEVERITY[kind], summary, at: 0 }
}

type TrialDraft = Partial<TrialResult> & Partial<Pick<Judgement, 'violations' | 'waived' | 'evidence'>>

/** A trial with as much of a judgement as its verdict has. */
export function trial(verdict: VerdictName, draft: TrialDraft = {}): TrialResult {
  const { violations = [], waived = [], evidence = { ENOSPC: { direct: 3, probe: 1 } }, ...rest } = draft
  const judged = verdict === 'skipped' || verdict === 'error' ? undefined : verdict
  return {
    scenario: 'diskfull/sweep',
    seed: '0123456789ab',
    index: 0,
    verdict,
    durationMs: 100,
    replay: 'npx lightning-chaos replay 0123456789ab',
    ...(judged && {
      judgement: {
        verdict: judged,
        violations,
        waived,
        evidence: judged === 'inconclusive' ? {} : evidence,
        operations: { acked: 90, refused: 10, unknown: 0, reads: 50 },
      },
    }),
    ...rest,
  }
}

export function trials(count: number, verdict: VerdictName, draft: TrialDraft = {}): TrialResult[] {
  return Array.from({ length: count }, (_, index) => trial(verdict, { index, ...draft }))
}

export function scenario(name: string, results: readonly TrialResult[], volume = 'tmpfs'): ScenarioResult {
  return {
    name,
    title: `Title of ${name}`,
    volume,
    trials: results.map((each) => ({ ...each, scenario: name })),
  }
}

export function runResult(draft: Partial<RunResult> = {}): RunResult {
  return {
    tool: { name: 'lightning-chaos', version: '0.1.0' },
    target: { name: 'lightning', version: '1.0.0', waived: {} },
    isolation: 'root',
    seed: 'seed',
    startedAt: '2026-01-02T03:04:05.678Z',
    durationMs: 12_345,
    gate: { target: 0.95, allowDataLoss: false },
    complete: true,
    scenarios: [scenario('diskfull/sweep', trials(8, 'passed'))],
    ...draft,
  }
}
