/** The gate: whether a run is good enough to go on with, and if not, why not. */
import type { RunResult } from './result.js'
import { type Counts, counted, countVerdicts, passRate, wilsonLowerBound } from './stats.js'
import { percent, plural } from './words.js'

export interface Gate {
  readonly met: boolean
  readonly counts: Counts
  /** From 0 to 1. */
  readonly passRate: number
  /** With this confidence the true rate is no lower than the bound, which then counts in the rate's place. */
  readonly confidence?: { readonly level: number; readonly lowerBound: number }
  /** Number of violations of the data-loss kind. */
  readonly dataLoss: number
  /** What keeps the gate from being met, in words; empty where it is met. */
  readonly reasons: readonly string[]
  /** One line for people: 'FAIL 91.7% (121/132) < 95%'. */
  readonly line: string
}

export function judgeGate(run: RunResult): Gate {
  const trials = run.scenarios.flatMap((scenario) => scenario.trials)
  const counts = countVerdicts(trials)
  const rate = passRate(counts)
  const { target, allowDataLoss, confidence: level } = run.gate
  const confidence =
    level === undefined ? {} : { confidence: { level, lowerBound: wilsonLowerBound(counts, level) } }
  const dataLoss = trials
    .flatMap(({ judgement }) => judgement?.violations ?? [])
    .filter(({ severity }) => severity === 'data-loss').length

  const decisive = confidence.confidence?.lowerBound ?? rate
  const rateMissed = counted(counts) > 0 && decisive < target
  const others = [
    ...(counts.trials === 0 ? ['no trial ran'] : []),
    ...(counts.trials > 0 && counted(counts) === 0 ? ['every trial was skipped'] : []),
    ...(dataLoss > 0 && !allowDataLoss ? [plural(dataLoss, 'data-loss violation')] : []),
    ...(run.complete ? [] : ['the run is not complete']),
  ]

  const comparison = `${rateMissed ? '<' : '>='} ${percent(target)}`
  const bound =
    confidence.confidence === undefined
      ? ''
      : `, at least ${percent(confidence.confidence.lowerBound, 1)} with ${percent(confidence.confidence.level)} confidence`
  const figures =
    counted(counts) === 0
      ? []
      : [`${percent(rate, 1)} (${counts.passed}/${counted(counts)})${bound} ${comparison}`]
  const allowed = dataLoss > 0 && allowDataLoss ? [`${plural(dataLoss, 'data-loss violation')} allowed`] : []
  const met = !rateMissed && others.length === 0
  const but =
    others.length === 0 ? [] : [`${figures.length > 0 && !rateMissed ? 'but ' : ''}${others.join(' and ')}`]

  return {
    met,
    counts,
    passRate: rate,
    ...confidence,
    dataLoss,
    reasons: [...(rateMissed ? [`the pass rate is ${figures[0]}`] : []), ...others],
    line: `${met ? 'PASS' : 'FAIL'} ${[...figures, ...but, ...allowed].join(', ')}`,
  }
}
