/** What results mean. Pure. */
import type { RunResult } from '../report/result.js'
import { sightOf } from './hunt.js'
import type { BrokenResult, CorrectResult } from './result.js'

/** Every bug was found and nobody was accused; what this host cannot run says nothing. */
export function isRight(broken: readonly BrokenResult[], correct: readonly CorrectResult[]): boolean {
  return [...broken, ...correct].every(({ outcome }) => outcome !== 'missed' && outcome !== 'accused')
}

/** A correct target is clean where every trial passed: an inconclusive one is an accusation, too. */
export function correctResult(name: string, { target, scenarios }: RunResult): CorrectResult {
  const trials = scenarios.flatMap((scenario) => scenario.trials)
  const skipped = scenarios.flatMap(({ name: scenario, trials: [first] }) =>
    first?.verdict === 'skipped' ? [{ scenario, why: first.reason ?? '' }] : [],
  )
  const tried = trials.filter(({ verdict }) => verdict !== 'skipped')
  if (tried.length === 0) return { name, outcome: 'skipped', why: skipped[0]?.why ?? 'no scenario was run' }
  const accusations = tried.filter(({ verdict }) => verdict !== 'passed').map(sightOf)
  return {
    name,
    outcome: accusations.length === 0 ? 'clean' : 'accused',
    version: target.version,
    trials: tried.length,
    passed: tried.length - accusations.length,
    accusations,
    skipped,
  }
}
