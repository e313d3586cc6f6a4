/** A scenario in words. */
import { FAULTS } from '../fault/index.js'
import { VOLUMES } from '../volume/index.js'
import type { FlatStep, Scenario, Step } from './schema.js'
import { formatSize } from './size.js'

/** The volume in words: 'tmpfs of 8 MiB'. */
export function describeVolume({ kind, size, inodes, thin, disk, trace }: Scenario['volume']): string {
  const limits = [
    ...(inodes === undefined ? [] : [`${inodes} inodes`]),
    ...(thin === undefined ? [] : [`only ${formatSize(thin)} of disk under it`]),
    ...(disk === undefined ? [] : [`on a disk of ${disk}`]),
    ...(trace === undefined ? [] : [`with ${trace} in its trace`]),
  ]
  return [`${kind} of ${formatSize(size ?? VOLUMES[kind].defaultSize)}`, ...limits].join(', ')
}

/** The workload in words. */
export function describeWorkload({ keys, clients, depth, sizes, mix }: Scenario['workload']): string {
  const values =
    'fixed' in sizes ? `of ${formatSize(sizes.fixed)}` : `from nothing to ${formatSize(sizes.largest)}`
  return `${clients} clients with ${depth} requests each in flight, over ${keys} keys with values ${values}; ${describeMix(mix)}`
}

/** The timeline in words, a line a step; those of a repeat are indented under it. The target runs when it begins. */
export function describeTimeline({ timeline }: Pick<Scenario, 'timeline'>): string[] {
  return timeline.flatMap((step) =>
    step.do === 'repeat'
      ? [roundsInWords(step), ...step.steps.map((inner) => `  ${describeStep(inner)}`)]
      : [describeStep(step)],
  )
}

/** Parameters of a fault. */
const MANY = 5

function roundsInWords({ times, until }: Extract<Step, { do: 'repeat' }>): string {
  return until === undefined
    ? `${times} times:`
    : `until a round goes through untouched, at most ${times} times:`
}

/** What follows on every timeline. */
export const CLOSING_ARC =
  'heal what is still on, wait for writes to work again, read everything back; ' +
  'kill in the middle of operations, start, read everything back; a few more operations, ' +
  'stop, start, read everything back'

const SIMPLE_STEPS = {
  heal: 'take every fault away again',
  resume: 'wait for writes to work again',
  start: 'start the target and open the data directory',
  stop: 'close, and end the process',
  reopen: 'close and open again in the same process',
  compact: 'ask the target to compact',
  verify: 'read everything back',
  pad: 'write one value, a byte longer each time',
} as const satisfies Partial<Record<Step['do'], string>>

const DURING = { operations: ', in the middle of operations', compaction: ', in the middle of a compaction' }

/** One step in words. */
export function describeStep(step: FlatStep): string {
  switch (step.do) {
    case 'run': {
      const until = step.until === undefined ? '' : ', fewer once one was refused'
      const beside = step.beside === undefined ? '' : ` beside one ${step.beside} after the other`
      const mix = step.mix === undefined ? '' : ` (${describeMix(step.mix)})`
      return `run ${step.operations} operations${beside}${until}${mix}`
    }
    case 'deletes':
      return `delete ${step.keys} keys`
    case 'kill':
      return `kill the process with SIGKILL${step.during === undefined ? '' : DURING[step.during]}`
    case 'inject':
      return describeInject(step)
    default:
      return SIMPLE_STEPS[step.do]
  }
}

function describeInject(step: FlatStep & { readonly do: 'inject' }): string {
  const fault = FAULTS.find(({ kind }) => kind === step.fault)
  const all = Object.entries(fault?.parameters ?? {})
  // where there are many, those that were left as they are say nothing
  const told =
    all.length < MANY ? all : all.filter(([name, spec]) => Reflect.get(step, name) !== spec.default)
  const given = told.map(([name, { type }]) => {
    const value: unknown = Reflect.get(step, name)
    return `${name} ${type === 'size' && typeof value === 'number' ? formatSize(value) : value}`
  })
  const parameters = given.length === 0 ? '' : ` (${given.join(', ')})`
  return `inject ${step.fault}${parameters}${fault === undefined ? '' : `: ${fault.title}`}`
}

/** The operations that there are, by how often: 'put 50%, get 30%'. */
function describeMix(mix: Scenario['workload']['mix']): string {
  const total = Object.values(mix).reduce((sum, weight) => sum + weight, 0)
  return Object.entries(mix)
    .filter(([, weight]) => weight > 0)
    .map(([name, weight]) => `${name} ${Number(((weight / total) * 100).toFixed(1))}%`)
    .join(', ')
}
