/** How long runs took and how they went, in short; and from it, how long the next one will take. */
import { judgeGate } from './gate.js'
import type { PlannedScenario, RunResult } from './result.js'
import { countVerdicts, rateOf } from './stats.js'

/** What is remembered of a run for good. */
export interface RunRates {
  readonly id: string
  readonly target: string
  /** What the user called the target: a name, a file or a command. */
  readonly called: string
  readonly seed: string
  /** Whether the gate was met. */
  readonly met: boolean
  readonly scenarios: readonly ScenarioRates[]
}

interface ScenarioRates {
  readonly name: string
  readonly trials: number
  readonly passed: number
  /** Trials that were not skipped. */
  readonly counted: number
  /** Mean duration of one run of a trial, in milliseconds. */
  readonly meanMs: number
}

export function ratesOf(run: RunResult, { id, called }: Pick<RunRates, 'id' | 'called'>): RunRates {
  return {
    id,
    target: run.target.name,
    called,
    seed: run.seed,
    met: judgeGate(run).met,
    scenarios: run.scenarios.map(({ name, trials }) => ({
      name,
      trials: trials.length,
      ...rateOf(countVerdicts(trials)),
      meanMs: Math.round(
        sum(trials.map(({ durationMs }) => durationMs)) / sum(trials.map(({ runs }) => runs?.length ?? 1)),
      ),
    })),
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

/** How long a run is going to take. */
export interface Estimate {
  readonly totalMs: number
  /** By how much a trial that is done brings the end nearer, in milliseconds. */
  shareMs(scenario: string): number
}

/** At least this share of the trials has to have been timed. */
const LEAST_KNOWN = 0.5

/**
 * How long one run of a trial takes, from the last time that each scenario ran against the same target, in
 * milliseconds; a scenario that is new takes what is usual. Undefined where too little is known.
 *
 * @param rates in the order in which the runs were
 */
export function lastMeans(
  rates: readonly RunRates[],
  called: string,
  planned: readonly PlannedScenario[],
): ((scenario: string) => number) | undefined {
  const means = new Map(
    rates
      .filter((run) => run.called === called)
      .flatMap(({ scenarios }) => scenarios.map(({ name, meanMs }) => [name, meanMs])),
  )
  const known = planned.filter(({ name }) => means.has(name))
  const trials = (some: typeof planned) => sum(some.map((each) => each.trials))
  if (known.length === 0 || trials(known) < LEAST_KNOWN * trials(planned)) return undefined
  const usual = sum(known.map(({ name, trials: n }) => n * means.get(name)!)) / trials(known)
  return (name) => means.get(name) ?? usual
}

/**
 * An estimate for a run; undefined where too little is known.
 *
 * @param meanMs as lastMeans gives it
 * @param pace how many trials are done in the time of one run: fewer than there are workers where each is repeated
 */
export function estimate(
  meanMs: ((scenario: string) => number) | undefined,
  planned: readonly PlannedScenario[],
  pace: number,
): Estimate | undefined {
  if (meanMs === undefined) return undefined
  const shareMs = (name: string) => meanMs(name) / pace
  return { totalMs: sum(planned.map(({ name, trials }) => trials * shareMs(name))), shareMs }
}
