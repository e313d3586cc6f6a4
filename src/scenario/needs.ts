import type { FaultKind } from '../fault/fault.js'
import { FAULTS } from '../fault/index.js'
import type { Need } from '../sandbox/need.js'
import { VOLUMES } from '../volume/index.js'
import type { Scenario } from './schema.js'

/** The faults that a scenario injects, each once, in the order of the timeline. */
export function faultsOf({ timeline }: Pick<Scenario, 'timeline'>): FaultKind[] {
  const steps = timeline.flatMap((step) => (step.do === 'repeat' ? step.steps : [step]))
  const names = new Set(steps.flatMap((step) => (step.do === 'inject' ? [step.fault] : [])))
  return [...names].flatMap((name) => FAULTS.filter(({ kind }) => kind === name))
}

/** What a scenario needs of the host, for its volume and its faults, each once. */
export function needsOf(scenario: Pick<Scenario, 'timeline' | 'volume'>): Need[] {
  const faults = faultsOf(scenario).flatMap(({ needs }) => needs)
  const { kind, disk } = scenario.volume
  const volumes = [kind, ...(disk === undefined ? [] : [disk])]
  return [...new Set([...volumes.flatMap((each) => VOLUMES[each].needs), ...faults])]
}
