/** How long runs took and how they went, in short; and from it, how long the next one will take. */
import { judgeGate } from './gate.js'
import type { RunResult } from './result.js'
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
  /** Mean duration of a trial, in milliseconds. */
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
      meanMs: Math.round(trials.reduce((sum, { durationMs }) => sum + durationMs, 0) / trials.length),
    })),
  }
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
 * An estimate from the last time that each scenario ran against the same target; undefined where too little is known.
 *
 * @param rates in the order in which the runs were
 * @param workers trials at a time
 */
export function estimate(
  rates: readonly RunRates[],
  called: string,
  planned: readonly { readonly name: string; readonly trials: number }[],
  workers: number,
): Estimate | undefined {
  const means = new Map(
    rates
      .filter((run) => run.called === called)
      .flatMap(({ scenarios }) => scenarios.map(({ name, meanMs }) => [name, meanMs])),
  )
  const known = planned.filter(({ name }) => means.has(name))
  const trials = (some: typeof planned) => some.reduce((sum, each) => sum + each.trials, 0)
  if (known.length === 0 || trials(known) < LEAST_KNOWN * trials(planned)) return undefined
  const usual = known.reduce((sum, { name, trials: n }) => sum + n * means.get(name)!, 0) / trials(known)
  const shareMs = (name: string) => (means.get(name) ?? usual) / workers
  return { totalMs: planned.reduce((sum, { name, trials: n }) => sum + n * shareMs(name), 0), shareMs }
}
