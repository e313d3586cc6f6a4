/**
 * A run compared with an earlier one, scenario by scenario. Worse is a kind of violation that the scenario had not
 * shown before, or a pass rate that is lower by more than chance explains: Fisher's exact test, one-sided, at 95%.
 * Better is the same the other way round. A scenario that the earlier run did not try is held to the gate's own rate
 * and to no lost data; one that this run did not try is not compared.
 */
import type { ViolationKind } from '../oracle/violation.js'
import { fewerPassesByChance, type Rate } from './stats.js'

/** What there is to compare of one scenario. */
export interface Tally extends Rate {
  readonly name: string
  /** The kinds that were seen, each once. */
  readonly violations: readonly ViolationKind[]
}

/** As much of an earlier run as a comparison needs. */
export interface Baseline {
  /** What the user called it. */
  readonly name: string
  readonly target: { readonly name: string; readonly version: string }
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly scenarios: readonly Tally[]
}

export interface Difference {
  readonly scenario: string
  /** Absent where that run did not try it. */
  readonly before?: Rate
  readonly after?: Rate
  readonly rate: 'worse' | 'better' | 'same'
  /** Kinds that were not there before, and those that no longer are. */
  readonly newViolations: readonly ViolationKind[]
  readonly goneViolations: readonly ViolationKind[]
  readonly worse: boolean
  /** It can be both: one kind gone, another one new. */
  readonly better: boolean
}

/** A rate is different where chance explains it with no more than this probability. */
export const MOST_BY_CHANCE = 0.05

/** @param isGoodEnough whether a scenario may be so that the baseline did not try */
export function compareWithBaseline(
  baseline: readonly Tally[],
  now: readonly Tally[],
  isGoodEnough: (tally: Tally) => boolean,
): Difference[] {
  const tried = ({ counted }: Tally) => counted > 0
  const before = new Map(baseline.filter(tried).map((tally) => [tally.name, tally]))
  const after = new Map(now.filter(tried).map((tally) => [tally.name, tally]))
  const names = new Set([...after.keys(), ...before.keys()])
  return [...names].map((name) => difference(name, before.get(name), after.get(name), isGoodEnough))
}

function difference(
  scenario: string,
  before: Tally | undefined,
  after: Tally | undefined,
  isGoodEnough: (tally: Tally) => boolean,
): Difference {
  const same = { scenario, rate: 'same', newViolations: [], goneViolations: [], better: false } as const
  if (after === undefined) return { ...same, before: figures(before!), worse: false }
  if (before === undefined) return { ...same, after: figures(after), worse: !isGoodEnough(after) }
  const rate = compareRates(before, after)
  const newViolations = without(after.violations, before.violations)
  const goneViolations = without(before.violations, after.violations)
  return {
    scenario,
    before: figures(before),
    after: figures(after),
    rate,
    newViolations,
    goneViolations,
    worse: rate === 'worse' || newViolations.length > 0,
    better: rate === 'better' || goneViolations.length > 0,
  }
}

function compareRates(before: Rate, after: Rate): Difference['rate'] {
  if (fewerPassesByChance(before, after) <= MOST_BY_CHANCE) return 'worse'
  return fewerPassesByChance(after, before) <= MOST_BY_CHANCE ? 'better' : 'same'
}

function figures({ passed, counted }: Rate): Rate {
  return { passed, counted }
}

function without(kinds: readonly ViolationKind[], others: readonly ViolationKind[]): ViolationKind[] {
  return kinds.filter((kind) => !others.includes(kind))
}
