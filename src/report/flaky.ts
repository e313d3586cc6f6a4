/**
 * A trial that was run several times with the same seed. It counts once, as its worst run: to repeat a trial can make a
 * gate harder to meet, never easier. It is flaky where two of its runs differ in verdict or in kinds of violations.
 */
import type { Violation } from '../oracle/violation.js'
import type { RunResult, TrialResult, TrialRun } from './result.js'

/** The one result of all runs of a trial, which are in order. */
export function mergeRuns(runs: readonly [TrialResult, ...TrialResult[]]): TrialResult {
  const worst = runs.reduce((a, b) => (badness(b) > badness(a) ? b : a))
  return {
    ...worst,
    durationMs: runs.reduce((sum, { durationMs }) => sum + durationMs, 0),
    runs: runs.map(({ verdict, judgement }) => ({ verdict, violations: judgement?.violations ?? [] })),
  }
}

const BADNESS = { skipped: 0, passed: 1, inconclusive: 2, failed: 3, error: 4 } as const
const DATA_LOSS = 5

function badness({ verdict, judgement }: TrialResult): number {
  return judgement?.violations.some(({ severity }) => severity === 'data-loss') ? DATA_LOSS : BADNESS[verdict]
}

export function isFlaky({ runs = [] }: TrialResult): boolean {
  return new Set(runs.map(outcome)).size > 1
}

/** All that a trial broke, in whichever of its runs. */
export function violationsOf({ runs, judgement }: TrialResult): readonly Violation[] {
  return runs === undefined ? (judgement?.violations ?? []) : runs.flatMap(({ violations }) => violations)
}

/** 'passed, failed (lost-write), passed'. */
export function runsInWords({ runs = [] }: TrialResult): string {
  return runs.map(outcome).join(', ')
}

export function flakyTrials({ scenarios }: Pick<RunResult, 'scenarios'>): TrialResult[] {
  return scenarios.flatMap(({ trials }) => trials.filter(isFlaky))
}

function outcome({ verdict, violations }: TrialRun): string {
  const kinds = [...new Set(violations.map(({ kind }) => kind))].sort()
  return kinds.length === 0 ? verdict : `${verdict} (${kinds.join(', ')})`
}
