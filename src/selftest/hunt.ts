/** The hunt for one planted bug: trials of one scenario after the other, until one shows it. */

import type { TrialResult } from '../report/result.js'
import { planTrials, type TrialKey } from '../scenario/plan.js'
import type { BrokenDatabase } from './catalogue.js'
import type { BrokenResult, Sight } from './result.js'

export interface Attempt<S> {
  readonly scenario: S
  readonly key: TrialKey
}

/** The trials of a hunt: of each scenario in turn, so that a rare bug is looked for everywhere. Pure. */
export function planHunt<S extends { readonly name: string; readonly trials: number }>(
  scenarios: readonly S[],
  { seed, trials }: { readonly seed: string; readonly trials: number },
): Attempt<S>[] {
  const keys = scenarios.map((scenario) => planTrials(scenario, { seed, trials }))
  return Array.from({ length: trials }, (_, number) => {
    const turn = number % scenarios.length
    return { scenario: scenarios[turn]!, key: keys[turn]![Math.floor(number / scenarios.length)]! }
  })
}

/**
 * @param attempts at least one
 * @param run executes one of them
 */
export async function hunt<S>(
  { name, bug, expects }: BrokenDatabase,
  attempts: readonly Attempt<S>[],
  run: (attempt: Attempt<S>) => Promise<TrialResult>,
): Promise<BrokenResult> {
  const instead: Sight[] = []
  for (const attempt of attempts) {
    const result = await run(attempt)
    const found = result.judgement?.violations.find(({ kind }) => expects.includes(kind))
    if (found !== undefined) {
      const { kind, severity, summary } = found
      const { scenario, replay } = result
      const trials = instead.length + 1
      return {
        name,
        bug,
        expects,
        outcome: 'found',
        trials,
        scenario,
        violation: { kind, severity, summary },
        replay,
      }
    }
    instead.push(sightOf(result))
  }
  return { name, bug, expects, outcome: 'missed', trials: instead.length, instead }
}

export function sightOf({ scenario, verdict, reason, judgement, replay }: TrialResult): Sight {
  const kinds = [...new Set(judgement?.violations.map(({ kind }) => kind))].join(', ')
  const words = [kinds, reason ?? ''].filter((text) => text !== '').join(': ')
  return { scenario, verdict, replay, ...(words === '' ? {} : { reason: words }) }
}
