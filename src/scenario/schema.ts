/**
 * What a scenario file may say. One zod schema gives the types, the validation with its messages and the
 * published JSON Schema; the parameters of each fault come from the fault's own table.
 */

import type { FaultKind, ParameterSpec } from '../fault/fault.js'
import { FAULTS } from '../fault/index.js'
import { z } from '../vendor/zod.js'
import { VOLUME_KINDS } from '../volume/volume.js'
import { parseSize, SIZE_PATTERN } from './size.js'

const sizeExpected = "expected a size in bytes, such as 4096, '64KiB' or '8MiB'"
const size = z
  .union(
    [
      z.number().int(sizeExpected).min(0, { error: sizeExpected, abort: true }),
      z
        .string()
        .refine((text) => parseSize(text) !== undefined, sizeExpected)
        .meta({ pattern: SIZE_PATTERN.source }),
    ],
    { error: sizeExpected },
  )
  .transform((value) => (typeof value === 'number' ? value : parseSize(value)!))
  .describe("Bytes, as a number or with a unit: 4096, '64KiB', '8MiB'")

const count = z.number().int().min(1)
const countExpected = "expected a whole number, 0 or more, or 'round': the number of the round of a repeat"

function parameterSchema(spec: ParameterSpec) {
  switch (spec.type) {
    case 'size':
      return size.prefault(spec.default).describe(spec.about)
    case 'count':
      return z
        .union([z.number().int().min(0), z.literal('round')], { error: countExpected })
        .default(spec.default)
        .describe(spec.about)
    case 'text':
      return z.string().min(1).default(spec.default).describe(spec.about)
    case 'boolean':
      return z.boolean().default(spec.default).describe(spec.about)
    case 'choice':
      return z.enum(spec.choices).default(spec.default).describe(spec.about)
  }
}

function injectSchema(fault: FaultKind) {
  const parameters = Object.fromEntries(
    Object.entries(fault.parameters).map(([name, spec]) => [name, parameterSchema(spec)]),
  )
  return z
    .strictObject({ do: z.literal('inject'), fault: z.literal(fault.kind), ...parameters })
    .describe(fault.title)
}

const inject = z.discriminatedUnion(
  'fault',
  FAULTS.map(injectSchema) as [ReturnType<typeof injectSchema>, ...ReturnType<typeof injectSchema>[]],
)

const mix = z
  .strictObject({
    put: z.number().min(0).default(50),
    delete: z.number().min(0).default(8),
    batch: z.number().min(0).default(6),
    get: z.number().min(0).default(30),
    scan: z.number().min(0).default(6),
  })
  .describe('Weights of the operations; 0 leaves one out')

const simpleSteps = [
  z.strictObject({ do: z.literal('heal') }).describe('Take every fault away again'),
  z.strictObject({ do: z.literal('resume') }).describe('Wait for writes to work again; only after a heal'),
  z.strictObject({ do: z.literal('start') }).describe('Start the target and open the data directory'),
  z.strictObject({ do: z.literal('stop') }).describe('Close, and end the process'),
  z.strictObject({ do: z.literal('reopen') }).describe('Close and open again in the same process'),
  z.strictObject({ do: z.literal('compact') }).describe('Ask the target to compact'),
  z.strictObject({ do: z.literal('verify') }).describe('Read everything back and judge it'),
  z
    .strictObject({ do: z.literal('pad') })
    .describe(
      'Write one value whose size moves on by one byte a round, so that what follows lands at every offset',
    ),
] as const

const run = z
  .strictObject({
    do: z.literal('run'),
    operations: count.describe('How many operations of the workload'),
    until: z
      .enum(['refused'])
      .optional()
      .describe('End early, a few operations after the first refused write'),
    beside: z
      .enum(['compaction'])
      .optional()
      .describe('What the target is asked for meanwhile, again and again'),
    mix: mix.optional(),
  })
  .describe('Run operations of the workload')

const deletes = z
  .strictObject({ do: z.literal('deletes'), keys: count.describe('How many keys to delete') })
  .describe('Delete keys, one after the other')

const kill = z
  .strictObject({
    do: z.literal('kill'),
    during: z
      .enum(['operations', 'compaction'])
      .optional()
      .describe(
        'What is under way when the kill comes, at a moment drawn from the seed; nothing, unless given',
      ),
  })
  .describe('Kill the process with SIGKILL')

const flatStep = z.discriminatedUnion('do', [run, deletes, inject, kill, ...simpleSteps])

const repeat = z
  .strictObject({
    do: z.literal('repeat'),
    times: count.max(1000).describe('How often; with until, at most'),
    until: z
      .enum(['untouched'])
      .optional()
      .describe(
        'End early, after the first round in which no fault acted: with an inject of first: round, each operation has failed by then',
      ),
    steps: z.array(flatStep).min(1),
  })
  .describe('Run the steps several times')

const stepSchema = z.discriminatedUnion('do', [run, deletes, inject, kill, ...simpleSteps, repeat])

const volume = z
  .strictObject({
    kind: z.enum(VOLUME_KINDS),
    size: size.optional().describe('Capacity; the kind has a default'),
    inodes: count.optional().describe('How many files and directories fit'),
    thin: size
      .optional()
      .describe('What the disk under the file system really has, where that is less than size'),
    disk: z
      .enum(['glass'])
      .optional()
      .describe('Put a disk under the file system whose blocks can be failed'),
    trace: z.enum(['bytes']).optional().describe('The trace of glass has what was read and written, too'),
  })
  .describe("Where the target's files live")

const workload = z
  .strictObject({
    keys: count.max(1_000_000).default(48),
    clients: count.max(256).default(4),
    depth: count.max(256).default(4).describe('Requests that each client keeps in flight'),
    sizes: z
      .union([z.strictObject({ fixed: size }), z.strictObject({ largest: size })])
      .prefault({ largest: 65_536 })
      .describe('Sizes of values: fixed, or many from 0 to largest, around page boundaries too'),
    mix: mix.prefault({}),
  })
  .describe('The stream of client operations')

export const scenarioSchema = z
  .strictObject({
    name: z
      .string()
      .regex(
        /^[a-z0-9-]+(\/[a-z0-9-]+)*$/,
        "expected lower-case words joined by '-', with '/' between family and name",
      )
      .describe('family/name, as run and show take it'),
    title: z.string().min(1),
    why: z.string().min(1).describe('Why it matters to somebody who runs a database'),
    bug: z
      .strictObject({ text: z.string().min(1), link: z.string().min(1) })
      .optional()
      .describe('A real bug that this would have caught'),
    volume,
    workload: workload.prefault({}),
    timeline: z
      .array(stepSchema)
      .min(1, { abort: true })
      .describe(
        'What happens, in order. Heal, resume, verify, and two restarts with a verify each follow by themselves',
      ),
    trials: count.max(100_000).default(8).describe('How many trials, unless --trials says otherwise'),
  })
  .describe('A scenario of lightning-chaos')

export type Scenario = z.infer<typeof scenarioSchema>
export type Step = z.infer<typeof stepSchema>
export type FlatStep = z.infer<typeof flatStep>
