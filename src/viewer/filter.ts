import type { Page, PageScenario, PageTrial } from '../report/page.js'
import type { Shown } from './location.js'

/** A scenario, and those of its trials that the filters let through. */
export interface Matching {
  readonly scenario: PageScenario
  readonly trials: readonly PageTrial[]
}

/** Scenarios without a trial that fits are left out. */
export function matching({ scenarios }: Page, { verdict, family, violation }: Shown): Matching[] {
  const fits = (trial: PageTrial) =>
    (verdict === undefined || trial.verdict === verdict) &&
    (violation === undefined || trial.violations.some(({ kind }) => kind === violation))
  return scenarios
    .filter((scenario) => family === undefined || scenario.family === family)
    .map((scenario) => ({ scenario, trials: scenario.trials.filter(fits) }))
    .filter(({ trials }) => trials.length > 0)
}

/** Every value that a filter can have, with the number of trials that have it. */
export function choices({ scenarios }: Page) {
  const trials = scenarios.flatMap((scenario) => scenario.trials)
  const kinds = trials.flatMap(({ violations }) => [...new Set(violations.map(({ kind }) => kind))])
  return {
    verdict: tally(trials.map(({ verdict }) => verdict)),
    family: tally(scenarios.flatMap((scenario) => scenario.trials.map(() => scenario.family))),
    violation: tally(kinds),
  }
}

function tally(values: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}
