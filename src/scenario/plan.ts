/** From a scenario to what is run: its trials, and the steps of each. Pure. */
import { createHash } from 'node:crypto'
import { FAULTS } from '../fault/index.js'
import type { FlatStep, Scenario, Step } from './schema.js'

/** Where a round begins of a repeat that may end early, and where such a repeat ends. */
type Mark = { readonly do: 'round' } | { readonly do: 'rounds-end' }
export type PlannedStep = FlatStep | Mark

/**
 * Two restarts, one by a kill in the middle of the work and one by a stop: many bugs show only after the second, and some
 * only where a few writes came between.
 */
const CLOSING: readonly FlatStep[] = [
  { do: 'resume' },
  { do: 'verify' },
  { do: 'kill', during: 'operations' },
  { do: 'start' },
  { do: 'verify' },
  { do: 'run', operations: 6 },
  { do: 'stop' },
  { do: 'start' },
  { do: 'verify' },
]

/**
 * The whole arc of a trial: start, the scenario's own timeline with every repeat unrolled, then whatever heals
 * and starts again what the timeline left broken, and the closing restarts and read-backs.
 */
export function planSteps(scenario: Scenario): PlannedStep[] {
  const own = scenario.timeline.flatMap((step): PlannedStep[] =>
    step.do === 'repeat' ? unroll(step) : [step],
  )
  const steps: PlannedStep[] = [{ do: 'start' }, ...own]
  if (unhealed(steps).length > 0) {
    if (isRunning(steps) && unhealed(steps).some(healsStopped)) steps.push({ do: 'kill' })
    steps.push({ do: 'heal' })
  }
  if (!isRunning(steps)) steps.push({ do: 'start' })
  return [...steps, ...CLOSING]
}

function unroll({ times, until, steps }: Extract<Step, { do: 'repeat' }>): PlannedStep[] {
  const rounds = Array.from({ length: times }, (_, index) => steps.map((step) => inRound(step, index + 1)))
  if (until === undefined) return rounds.flat()
  return [...rounds.flatMap((round): PlannedStep[] => [{ do: 'round' }, ...round]), { do: 'rounds-end' }]
}

/** A step with the number of its round in place of the word. */
function inRound(step: FlatStep, round: number): FlatStep {
  if (step.do !== 'inject') return step
  const filled = Object.entries(step).map(([name, value]) => [name, value === 'round' ? round : value])
  return Object.fromEntries(filled) as FlatStep
}

function unhealed(steps: readonly PlannedStep[]): string[] {
  const healedAt = steps.findLastIndex((step) => step.do === 'heal')
  return steps.slice(healedAt + 1).flatMap((step) => (step.do === 'inject' ? [step.fault] : []))
}

function isRunning(steps: readonly PlannedStep[]): boolean {
  return (
    steps.findLast(({ do: name }) => name === 'start' || name === 'stop' || name === 'kill')?.do === 'start'
  )
}

function healsStopped(fault: string): boolean {
  return FAULTS.some(({ kind, healsStopped }) => kind === fault && healsStopped === true)
}

/** What tells one trial of a scenario from the next. */
export interface TrialKey {
  /** Twelve hex digits; everything random in the trial comes from here. */
  readonly seed: string
  readonly index: number
}

/**
 * The trials of a scenario. A trial's seed hangs on the run's seed, the scenario's name and the trial's index alone,
 * so it is the same whatever else runs, and in whatever order.
 */
export function planTrials(
  scenario: Pick<Scenario, 'name' | 'trials'>,
  options: { readonly seed: string; readonly trials?: number | undefined },
): TrialKey[] {
  return Array.from({ length: options.trials ?? scenario.trials }, (_, index) => {
    const text = JSON.stringify([options.seed, scenario.name, index])
    return { seed: createHash('sha256').update(text).digest('hex').slice(0, 12), index }
  })
}
