/** A drill as somebody asks for it: by options, or by a file that can be kept and shared. */
import path from 'node:path'
import { stringify } from 'yaml'
import type { FaultName, Rate, SmallVolume } from '../../drill/plan.js'
import { UsageError } from '../../errors.js'
import { readTextFile } from '../../scenario/text-file.js'
import { parseYaml } from '../../scenario/yaml.js'
import { quoteCommandLine } from '../../target/command-line.js'
import { z } from '../../vendor/zod.js'
import { parsedBy } from '../config.js'
import { parseCount, parseDuration, parsePercent } from '../options.js'
import { DEFAULT_RATE, DRILL_DEFAULTS } from './defaults.js'
import { FAULTS } from './faults.js'
import { parseLoad, parseSizeOption } from './options.js'
import { smallVolume } from './small-volume.js'

export interface DrillSpec {
  readonly fault: FaultName
  readonly path?: string | undefined
  readonly allowRootFilesystem: boolean
  /** Bytes, or inodes. */
  readonly leave: number
  readonly reserved: boolean
  readonly rate?: Rate | undefined
  readonly volume?: Omit<SmallVolume, 'directory'> | undefined
  readonly pid?: number | undefined
  /** A unit of systemd. */
  readonly service?: string | undefined
  readonly user?: string | undefined
  readonly probes: readonly ProbeSpec[]
  /** The target of an attached workload: a name or a file, or a command. */
  readonly attach?:
    | { readonly target?: string | undefined; readonly targetCmd?: string | undefined }
    | undefined
  readonly forMs: number
  readonly everyMs: number
  readonly probeTimeoutMs: number
  readonly recoverMs: number
  readonly steady: number
  readonly rounds: number
  /** A share. */
  readonly gate: number
  readonly abortIf?: string | undefined
  readonly maxLoad?: number | undefined
  /** Bytes. */
  readonly minFreeElsewhere?: number | undefined
}

interface ProbeSpec {
  /** A command or a URL. */
  readonly ask: string
  readonly name?: string | undefined
  readonly during: 'pass' | 'fail' | 'any'
  readonly says?: string | undefined
}

const probeSchema = z
  .strictObject({
    ask: z.string().min(1).describe('A command, or a URL: http, tcp, redis, postgres'),
    name: z.string().min(1).optional().describe('What reports call it'),
    during: z.enum(['pass', 'fail', 'any']).default('any').describe('What it does while the fault is on'),
    says: z.string().min(1).optional().describe('What its every failure says while the fault is on'),
  })
  .describe('Asks whether the service works')

const duration = (about: string) => parsedBy(parseDuration, about)
const size = (about: string) => parsedBy(parseSizeOption, about)

export const drillFileSchema = z
  .strictObject({
    fault: z.enum(Object.keys(FAULTS) as [FaultName, ...FaultName[]]).describe('What is made wrong'),
    path: z.string().min(1).optional().describe('Where the data of the service is; relative to this file'),
    'allow-root-filesystem': z.boolean().default(false).describe('Also where the system or the journal is'),
    leave: size('Room, or inodes, to leave'),
    reserved: z.boolean().default(false).describe('Fill the blocks that are reserved for root, too'),
    'bytes-per-second': size('Of a slow disk: what is still read, and written, in a second'),
    'operations-per-second': parsedBy(parseCount, 'Of a slow disk: how many operations, beside'),
    size: size('Of a small volume'),
    stop: z.string().min(1).optional().describe('Of a small volume: the command that stops the service'),
    start: z.string().min(1).optional().describe('And starts it; has to be safe to repeat'),
    service: z
      .strictObject({
        pid: parsedBy(parseCount, 'A process of it'),
        unit: z.string().min(1).optional().describe('Its unit of systemd'),
        user: z.string().min(1).optional().describe('Whose rights it has'),
      })
      .refine(({ pid, unit }) => pid === undefined || unit === undefined, {
        path: ['unit'],
        error: 'expected no unit beside a pid',
      })
      .optional()
      .describe('The service: one of these is enough'),
    probes: z.array(probeSchema).default([]),
    'attach-workload': z
      .strictObject({
        target: z.string().min(1).optional().describe('A bundled target, or a target file'),
        command: z.string().min(1).optional().describe('The command of a target; {dir} is its directory'),
      })
      .optional()
      .describe(
        'Prove beside that no acked write is lost, with a target in a directory of its own below path',
      ),
    for: duration('How long the fault stays'),
    every: duration('From one question to the next'),
    'probe-timeout': duration('Longest wait for one answer'),
    recover: duration('Longest until every probe passes after it'),
    steady: parsedBy(parseCount, 'How often each probe has to pass before it'),
    rounds: parsedBy(parseCount, 'How often the drill is done'),
    gate: parsedBy(parsePercent, 'Pass rate that the gate asks for, in percent'),
    'abort-if': z.string().min(1).optional().describe('A command or URL: undo at once when it succeeds'),
    'max-load': parsedBy(parseLoad, 'Undo when the load of a minute is above this'),
    'min-free-elsewhere': size('Undo when less is free on the root file system or with the journal'),
  })
  .superRefine((found, context) => {
    const { needs, leave, reserved, rate, volume } = FAULTS[found.fault]
    const hasPath = needs === 'path'
    const has = {
      ...{ path: hasPath, 'allow-root-filesystem': hasPath, 'attach-workload': hasPath },
      ...{ leave, reserved, size: volume, stop: volume, start: volume },
      ...{ 'bytes-per-second': rate, 'operations-per-second': rate },
    }
    for (const key of Object.keys(has) as (keyof typeof has)[]) {
      const isGiven = found[key] !== undefined && found[key] !== false
      if (isGiven && !has[key])
        context.addIssue({
          code: 'custom',
          path: [key],
          message: `expected no ${key}: ${found.fault} has none`,
        })
    }
    if (hasPath && found.path === undefined)
      context.addIssue({ code: 'custom', path: ['path'], message: 'expected a directory' })
  })
  .describe('A drill of lightning-chaos')

/** @throws UsageError with line and column of everything that is wrong with it */
export async function readDrillFile(file: string): Promise<DrillSpec> {
  const text = await readTextFile(file, 'a drill', "'lightning-chaos drill FAULT … --save FILE' writes one")
  const found = parseYaml(file, text, drillFileSchema)
  const { for: forMs, every, 'probe-timeout': probeTimeoutMs, recover, steady, rounds, gate } = found
  return {
    fault: found.fault,
    path: found.path === undefined ? undefined : path.resolve(path.dirname(file), found.path),
    allowRootFilesystem: found['allow-root-filesystem'],
    leave: found.leave ?? 0,
    reserved: found.reserved,
    rate: rateIn(found),
    volume: volumeIn(found),
    pid: found.service?.pid,
    service: found.service?.unit,
    user: found.service?.user,
    probes: found.probes,
    attach: found['attach-workload'] && {
      target: found['attach-workload'].target,
      targetCmd: found['attach-workload'].command,
    },
    forMs: forMs ?? DRILL_DEFAULTS.forMs,
    everyMs: every ?? DRILL_DEFAULTS.everyMs,
    probeTimeoutMs: probeTimeoutMs ?? DRILL_DEFAULTS.probeTimeoutMs,
    recoverMs: recover ?? DRILL_DEFAULTS.recoverMs,
    steady: steady ?? DRILL_DEFAULTS.steady,
    rounds: rounds ?? DRILL_DEFAULTS.rounds,
    gate: gate ?? DRILL_DEFAULTS.gate,
    abortIf: found['abort-if'],
    maxLoad: found['max-load'],
    minFreeElsewhere: found['min-free-elsewhere'],
  }
}

function rateIn(found: z.infer<typeof drillFileSchema>): Rate | undefined {
  if (found.fault !== 'slow') return undefined
  const { 'bytes-per-second': bytesPerSecond, 'operations-per-second': operationsPerSecond } = found
  return {
    bytesPerSecond: bytesPerSecond ?? DEFAULT_RATE,
    ...(operationsPerSecond === undefined ? {} : { operationsPerSecond }),
  }
}

function volumeIn(found: z.infer<typeof drillFileSchema>): DrillSpec['volume'] {
  const { fault, size, stop, start, service } = found
  if (fault !== 'quota-volume') return undefined
  if (size === undefined) throw new UsageError('quota-volume has a size', { hint: 'size: 64MiB' })
  return smallVolume(size, { stop, start, unit: service?.unit })
}

/** The text of a file that asks for the same drill. What is as it is by default is left out. */
export function drillFileText(spec: DrillSpec): string {
  const { pid, service: unit, user } = spec
  const unless = <T>(value: T, usual: T) => (value === usual ? undefined : value)
  const ms = (value: number, usual: number) => unless(`${value}ms`, `${usual}ms`)
  const hasService = pid !== undefined || unit !== undefined || user !== undefined
  return stringify({
    fault: spec.fault,
    path: spec.path === undefined ? undefined : path.resolve(spec.path),
    'allow-root-filesystem': unless(spec.allowRootFilesystem, false),
    leave: unless(spec.leave, 0),
    reserved: unless(spec.reserved, false),
    size: spec.volume?.size,
    stop: spec.volume && quoteCommandLine(spec.volume.stop),
    start: spec.volume && quoteCommandLine(spec.volume.start),
    'bytes-per-second': spec.rate?.bytesPerSecond,
    'operations-per-second': spec.rate?.operationsPerSecond,
    service: hasService ? { pid, unit, user } : undefined,
    probes: spec.probes.length === 0 ? undefined : spec.probes,
    'attach-workload': spec.attach && { target: spec.attach.target, command: spec.attach.targetCmd },
    for: `${spec.forMs}ms`,
    every: ms(spec.everyMs, DRILL_DEFAULTS.everyMs),
    'probe-timeout': ms(spec.probeTimeoutMs, DRILL_DEFAULTS.probeTimeoutMs),
    recover: ms(spec.recoverMs, DRILL_DEFAULTS.recoverMs),
    steady: unless(spec.steady, DRILL_DEFAULTS.steady),
    rounds: unless(spec.rounds, DRILL_DEFAULTS.rounds),
    gate: spec.gate === DRILL_DEFAULTS.gate ? undefined : Number((spec.gate * 100).toFixed(4)),
    'abort-if': spec.abortIf,
    'max-load': spec.maxLoad,
    'min-free-elsewhere': spec.minFreeElsewhere,
  })
}
