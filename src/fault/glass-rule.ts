/** What the faults on glass have in common: which operations they meet, and how it is known that they did. */
import { InternalError } from '../errors.js'
import type { GlassClient } from '../glass/client.js'
import type { Effect, Operation, Rule } from '../glass/rules.js'
import { OPERATIONS } from '../glass/rules.js'
import type { ActiveFault, FaultWorld, ParameterSpec, Parameters } from './fault.js'

/** Operations that a scenario can name, and two groups of them. */
export const MET = ['sync', 'all', ...(Object.keys(OPERATIONS) as Operation[])] as const
type Met = (typeof MET)[number]

/** When a fault acts, of all operations that it could meet. */
export const TRIGGER = {
  path: {
    type: 'text',
    default: '**',
    about: "Which of the target's files: * stands for any characters but /, ** for any, ? for one",
  },
  from: { type: 'size', default: 0, about: 'Only what touches bytes of a file from here on' },
  to: { type: 'size', default: 0, about: '… and before here; 0: to its end' },
  first: { type: 'count', default: 1, about: 'The first operation to act on, of those that fit, from 1' },
  last: { type: 'count', default: 0, about: 'The last one; 0: there is none' },
  step: { type: 'count', default: 1, about: 'Every how many of them' },
  percent: { type: 'count', default: 100, about: 'Of those, this part at random' },
  after: { type: 'size', default: 0, about: 'Only once so many bytes were read or written' },
  once: { type: 'boolean', default: false, about: 'Act once, and never again' },
} as const satisfies Readonly<Record<string, ParameterSpec>>

/** The parameter that names the operations. */
export function operationParameter(choices: readonly [Met, ...Met[]], first: Met): ParameterSpec {
  return {
    type: 'choice',
    choices,
    default: first,
    about: 'The operations to act on; sync: fsync and fdatasync',
  }
}

export interface RuleFault {
  readonly operations: readonly Operation[]
  readonly effect: Effect
  readonly parameters: Parameters
  /** In words. */
  readonly detail: string
  /** The name under which the operations that it acted on count as evidence. */
  readonly evidence: string
  /** What it is to the target, where that depends on the parameters. */
  readonly stopsReads?: boolean
  /** Whether the page cache is lost when it is healed, and what the disk has shows. */
  readonly evicts?: boolean
}

/** Puts a rule beside those that are on. */
export async function injectRule(world: FaultWorld, fault: RuleFault): Promise<ActiveFault> {
  const client = clientOf(world)
  const { operations, effect, parameters, detail, evidence, stopsReads, evicts } = fault
  const number = await client.add(ruleOf(operations, effect, parameters), world.seed)
  const seen = async () => {
    const { rules } = await client.state()
    return new Map([[evidence, rules[number]?.acted ?? 0]])
  }
  return {
    detail,
    ...(stopsReads === true ? { stopsReads } : {}),
    errnos: [evidence],
    probe: async () => undefined,
    seen,
    async heal() {
      const [acted] = (await seen()).values()
      await client.remove(number)
      if (evicts === true) await client.evict()
      return `${detail}: no longer, after ${acted} times`
    },
  }
}

export function clientOf({ volume }: FaultWorld): GlassClient {
  if (volume.glass === undefined) throw new InternalError('a fault on glass needs a volume of that kind')
  return volume.glass.client
}

export function operationsOf(met: string): readonly Operation[] {
  if (met === 'sync') return ['fsync', 'fdatasync']
  return met === 'all' ? (Object.keys(OPERATIONS) as Operation[]) : [met as Operation]
}

function ruleOf(operations: readonly Operation[], effect: Effect, parameters: Parameters): Rule {
  const number = (name: keyof typeof TRIGGER) => Number(parameters[name] ?? TRIGGER[name].default)
  const [from, to, last] = [number('from'), number('to'), number('last')]
  const [percent, after] = [number('percent'), number('after')]
  return {
    operations,
    effect,
    path: String(parameters.path ?? TRIGGER.path.default),
    first: number('first'),
    step: Math.max(1, number('step')),
    once: Boolean(parameters.once),
    ...(from > 0 ? { from } : {}),
    ...(to > 0 ? { to } : {}),
    ...(last > 0 ? { last } : {}),
    ...(percent < 100 ? { probability: percent / 100 } : {}),
    ...(after > 0 ? { after } : {}),
  }
}
