/** The gate: whether a run is good enough to go on with, and if not, why not. */
import { VIOLATION_SEVERITY } from '../oracle/violation.js'
import { compareWithBaseline, type Difference, MOST_BY_CHANCE, type Tally } from './baseline.js'
import { flakyTrials, violationsOf } from './flaky.js'
import { type Known, settleKnown } from './known.js'
import type { RunResult, ScenarioResult, TrialResult } from './result.js'
import { differenceSentence, knownSentence } from './sentences.js'
import {
  belowTargetByChance,
  type Counts,
  counted,
  countVerdicts,
  passRate,
  rateOf,
  wilsonLowerBound,
} from './stats.js'
import { percent, plural } from './words.js'

export interface Gate {
  readonly met: boolean
  /** Of every trial. */
  readonly counts: Counts
  /** Of the trials that did not fail in a known way. From 0 to 1. */
  readonly passRate: number
  /** With this confidence the true rate is no lower than the bound, which then counts in the rate's place. */
  readonly confidence?: { readonly level: number; readonly lowerBound: number }
  /** Number of violations of the data-loss kind that are not known. */
  readonly dataLoss: number
  readonly known: Known
  /** Present where the run is compared with an earlier one: what got worse then counts in the place of rate and data loss. */
  readonly differences?: readonly Difference[]
  /** What keeps the gate from being met, in words; empty where it is met. */
  readonly reasons: readonly string[]
  /** One line for people: 'FAIL 91.7% (121/132) < 95%'. */
  readonly line: string
}

/** What keeps a gate from being met, beside a rate that is too low. */
interface Flaw {
  /** For the one line. */
  readonly brief: string
  readonly reasons: readonly string[]
}

export function judgeGate(run: RunResult): Gate {
  const trials = run.scenarios.flatMap((scenario) => scenario.trials)
  const known = settleKnown(run.scenarios, run.gate.known ?? [], run.startedAt.slice(0, 10))
  const counts = countVerdicts(trials)
  const judged = countVerdicts(trials.filter((trial) => !known.excuses(trial)))
  const rate = passRate(judged)
  const { target, confidence: level } = run.gate
  const bound = level === undefined ? undefined : { level, lowerBound: wilsonLowerBound(judged, level) }
  const { dataLoss, excused } = countViolations(trials, known)
  const differences = compared(run, known)
  const flaky = flakyTrials(run).length

  const isCompared = differences !== undefined
  const rateMissed = !isCompared && counted(judged) > 0 && (bound?.lowerBound ?? rate) < target
  const farBelow = isCompared || rateMissed ? [] : farBelowTarget(run, known)
  const flaws = flawsOf(run, { counts, known, differences, dataLoss, farBelow })
  const met = !rateMissed && flaws.length === 0

  const comparison = isCompared ? '' : ` ${rateMissed ? '<' : '>='} ${percent(target)}`
  const atLeast =
    bound === undefined
      ? ''
      : `, at least ${percent(bound.lowerBound, 1)} with ${percent(bound.level)} confidence`
  const figures =
    counted(judged) === 0
      ? []
      : [`${percent(rate, 1)} (${judged.passed}/${counted(judged)})${atLeast}${comparison}`]
  const but = figures.length > 0 && !rateMissed ? 'but ' : ''
  const allowed = run.gate.allowDataLoss ? ' allowed' : ''
  const parts = [
    ...figures,
    ...(flaws.length === 0 ? [] : [`${but}${flaws.map(({ brief }) => brief).join(' and ')}`]),
    ...(isCompared && !differences.some(({ worse }) => worse) ? ['nothing worse than in the baseline'] : []),
    ...(dataLoss > 0 && (isCompared || allowed)
      ? [`${plural(dataLoss, 'data-loss violation')}${allowed}`]
      : []),
    ...(excused > 0 ? [plural(excused, 'known violation')] : []),
    ...(flaky > 0 ? [plural(flaky, 'flaky trial')] : []),
  ]

  return {
    met,
    counts,
    passRate: rate,
    ...(bound === undefined ? {} : { confidence: bound }),
    dataLoss,
    known,
    ...(isCompared ? { differences } : {}),
    reasons: [
      ...(rateMissed ? [`the pass rate is ${figures[0]}`] : []),
      ...flaws.flatMap(({ reasons }) => reasons),
    ],
    line: `${met ? 'PASS' : 'FAIL'} ${parts.join(', ')}`,
  }
}

function flawsOf(
  { gate, complete }: RunResult,
  found: Pick<Gate, 'counts' | 'known' | 'dataLoss'> & {
    differences: Gate['differences'] | undefined
    farBelow: readonly Tally[]
  },
): Flaw[] {
  const { counts, known, differences, dataLoss, farBelow } = found
  const worse = (differences ?? []).filter((difference) => difference.worse)
  const low = farBelow.map(({ name }) => name)
  const expired = known.outcomes.filter(({ state }) => state === 'expired')
  const when = (is: boolean, brief: string, reasons: readonly string[] = [brief]) =>
    is ? [{ brief, reasons }] : []
  return [
    ...when(counts.trials === 0, 'no trial ran'),
    ...when(counts.trials > 0 && counts.skipped === counts.trials, 'every trial was skipped'),
    ...when(
      worse.length > 0,
      `${plural(worse.length, 'scenario')} worse than in the baseline`,
      worse.map((each) => `worse than in the baseline: ${differenceSentence(each)}`),
    ),
    ...when(
      low.length > 0,
      `${low.length > 2 ? plural(low.length, 'scenario') : low.join(' and ')} far below it`,
      farBelow.map(({ name, passed, counted: all }) => `${name} passed ${passed} of ${plural(all, 'trial')}`),
    ),
    ...when(
      dataLoss > 0 && differences === undefined && !gate.allowDataLoss,
      plural(dataLoss, 'data-loss violation'),
    ),
    ...when(
      expired.length > 0,
      `${plural(expired.length, 'known failure')} expired`,
      expired.map(knownSentence),
    ),
    ...when(!complete, 'the run is not complete'),
  ]
}

/**
 * Scenarios that are below the target by more than chance explains: in the rate of all trials, the others hide them. The
 * more scenarios there are, the likelier one is so by chance, which their number makes up for.
 */
function farBelowTarget({ scenarios, gate }: RunResult, known: Known): Tally[] {
  const tallies = scenarios.map((scenario) => tallyOf(scenario, known)).filter((tally) => tally.counted > 0)
  return tallies.filter((tally) => belowTargetByChance(tally, gate.target) * tallies.length < MOST_BY_CHANCE)
}

function countViolations(trials: readonly TrialResult[], known: Known) {
  const found = trials.flatMap((trial) =>
    violationsOf(trial).map((violation) => ({
      severity: violation.severity,
      isExcused: known.excuse(trial.scenario, violation) !== undefined,
    })),
  )
  return {
    dataLoss: found.filter(({ severity, isExcused }) => severity === 'data-loss' && !isExcused).length,
    excused: found.filter(({ isExcused }) => isExcused).length,
  }
}

function compared({ scenarios, gate }: RunResult, known: Known): Difference[] | undefined {
  if (gate.baseline === undefined) return undefined
  const isGoodEnough = ({ passed, counted: all, violations }: Tally) =>
    passed / all >= gate.target &&
    (gate.allowDataLoss || violations.every((kind) => VIOLATION_SEVERITY[kind] !== 'data-loss'))
  const now = scenarios.map((scenario) => tallyOf(scenario, known))
  return compareWithBaseline(gate.baseline.scenarios, now, isGoodEnough)
}

/** What counts of a scenario: all that is not known. */
function tallyOf({ name, trials }: ScenarioResult, known: Known): Tally {
  const counting = trials.filter((trial) => !known.excuses(trial))
  const violations = counting
    .flatMap(violationsOf)
    .filter((violation) => known.excuse(name, violation) === undefined)
  return {
    name,
    ...rateOf(countVerdicts(counting)),
    violations: [...new Set(violations.map(({ kind }) => kind))],
  }
}
