/** Failures that are known and put up with until a day: they are shown, but do not count against the gate. */
import type { Violation, ViolationKind } from '../oracle/violation.js'
import { matcher } from '../scenario/selector.js'
import { violationsOf } from './flaky.js'
import type { ScenarioResult, TrialResult } from './result.js'

export interface KnownFailure {
  /** Name, family or pattern, as selectors take it. */
  readonly scenario: string
  /** Every kind, where this is absent. */
  readonly violation?: ViolationKind
  readonly reason: string
  /** The last day on which it is put up with, UTC: 'YYYY-MM-DD'. */
  readonly expires: string
}

/** What became of a known failure in a run. */
export interface KnownOutcome extends KnownFailure {
  /** `known`: it was seen. `expired`: its day is over, seen or not. `unneeded`: nothing of the kind happened any more. */
  readonly state: 'known' | 'expired' | 'unneeded'
  /** How many violations it matches. */
  readonly times: number
}

export interface Known {
  /** Those whose scenarios were tried, in the order of the list; nothing can be said of the others. */
  readonly outcomes: readonly KnownOutcome[]
  /** The one that excuses a violation; undefined where none does. */
  excuse(scenario: string, violation: Pick<Violation, 'kind'>): KnownFailure | undefined
  /** Whether a trial failed in no other way than a known one. */
  excuses(trial: TrialResult): boolean
}

/** @param today 'YYYY-MM-DD' */
export function settleKnown(
  scenarios: readonly ScenarioResult[],
  list: readonly KnownFailure[],
  today: string,
): Known {
  const entries = list.map((failure) => ({
    failure,
    isExpired: today > failure.expires,
    matchesName: matcher(failure.scenario),
  }))
  const matches = ({ failure, matchesName }: (typeof entries)[number], name: string, kind: ViolationKind) =>
    matchesName(name) && (failure.violation ?? kind) === kind

  const excuse: Known['excuse'] = (scenario, { kind }) =>
    entries.find((entry) => !entry.isExpired && matches(entry, scenario, kind))?.failure

  const outcomes = entries.flatMap((entry): KnownOutcome[] => {
    const tried = scenarios.filter(
      ({ name, trials }) =>
        entry.matchesName(name) && trials.some(({ judgement }) => judgement !== undefined),
    )
    if (tried.length === 0) return []
    const violations = tried.flatMap(({ name, trials }) =>
      trials.flatMap(violationsOf).filter(({ kind }) => matches(entry, name, kind)),
    )
    const times = violations.length
    const state = entry.isExpired ? 'expired' : times > 0 ? 'known' : 'unneeded'
    return [{ ...entry.failure, state, times }]
  })
  return {
    outcomes,
    excuse,
    excuses: (trial) =>
      trial.verdict === 'failed' &&
      violationsOf(trial).length > 0 &&
      (trial.runs ?? []).every(({ verdict }) => verdict === 'failed' || verdict === 'passed') &&
      violationsOf(trial).every((violation) => excuse(trial.scenario, violation) !== undefined),
  }
}
