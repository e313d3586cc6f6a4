/**
 * Where the settings of a run come from: the command line, the environment, the config file, the defaults, in this
 * order. One table says what there is; every place is read by the parsers of the command line.
 */
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { UsageError } from '../errors.js'
import { VIOLATION_SEVERITY, type ViolationKind } from '../oracle/violation.js'
import { renderGrid } from '../report/grid.js'
import type { KnownFailure } from '../report/known.js'
import { percent } from '../report/words.js'
import { readTextFile } from '../scenario/text-file.js'
import { parseYaml } from '../scenario/yaml.js'
import { z } from '../vendor/zod.js'
import {
  parseConfidence,
  parseCount,
  parseDuration,
  parseIsolation,
  parsePercent,
  parseReporter,
  parseSeed,
  parseShard,
  type ReporterChoice,
  type ShardChoice,
} from './options.js'
import type { Output } from './screen.js'
import { engineSeed, engineShard } from './shard.js'

/** Read where --config names no other. */
export const CONFIG_FILE = 'lightning-chaos.config.yaml'
const MISSING = `--config names the config; without it ${CONFIG_FILE} is read where it is there`

interface Setting {
  /** The value that a text means. @throws InvalidArgumentError */
  parse(text: string): unknown
  show(value: never): string
  readonly about: string
}

const milliseconds = (value: number) => `${value} ms`
const share = (value: number) => percent(value)

/** Every setting that a config may have, by the name that its option has. */
const SETTINGS: Readonly<Record<string, Setting>> = {
  target: { parse: String, show: String, about: 'lightning, sqlite, or a target file' },
  trials: { parse: parseCount, show: String, about: 'trials of each scenario' },
  seed: { parse: parseSeed, show: String, about: 'seed of the run; leave it out for a new one each time' },
  gate: { parse: parsePercent, show: share, about: 'pass rate that the gate asks for, in percent' },
  confidence: {
    parse: parseConfidence,
    show: share,
    about: "judge the rate's lower bound at this confidence",
  },
  'repeat-each': { parse: parseCount, show: String, about: 'how often each trial is run' },
  baseline: { parse: String, show: String, about: 'the JSON report of a run: fail only on what got worse' },
  workers: { parse: parseCount, show: String, about: 'trials at a time' },
  bail: { parse: parseCount, show: String, about: 'stop after this many trials that did not pass' },
  timeout: { parse: parseDuration, show: milliseconds, about: 'longest wait for one answer of the target' },
  'resume-timeout': {
    parse: parseDuration,
    show: milliseconds,
    about: 'longest wait for writes to come back',
  },
  'trial-timeout': { parse: parseDuration, show: milliseconds, about: 'longest that one trial may take' },
  isolation: { parse: parseIsolation, show: String, about: 'root, user or none' },
}

/** A value of a file that is read by a parser of the command line. */
export const parsedBy = <T>(parse: (text: string) => T, about: string) =>
  z
    .union([z.string(), z.number()])
    .transform((value, context) => {
      try {
        return parse(String(value))
      } catch (error) {
        if (!(error instanceof InvalidArgumentError)) throw error
        context.addIssue({ code: 'custom', message: expectation(error) })
        return z.NEVER
      }
    })
    .optional()
    .describe(about)

const known = z
  .strictObject({
    scenario: z.string().min(1).describe('Name, family or pattern'),
    violation: z
      .enum(Object.keys(VIOLATION_SEVERITY) as [ViolationKind])
      .optional()
      .describe('Its kind; every kind, unless given'),
    reason: z.string().min(1).describe('Why it is put up with, best with a link'),
    expires: z.iso
      .date('expected a day, such as 2030-01-31')
      .describe('The last day on which it is put up with, UTC; after that it fails the gate'),
  })
  .describe('A failure that does not count against the gate')

export const configSchema = z
  .strictObject({
    scenarios: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe('Names, families, patterns or files of scenarios; every built-in one unless given'),
    ...Object.fromEntries(
      Object.entries(SETTINGS).map(([name, { parse, about }]) => [name, parsedBy(parse, about)]),
    ),
    'allow-data-loss': z.boolean().optional().describe('Let the gate pass although data was lost'),
    known: z.array(known).min(1).optional().describe('Failures that are put up with until a day'),
    'production-markers': z
      .array(z.string().min(1))
      .optional()
      .describe(
        "Files or environment variables ('$NAME') that mark a host in production: no drill is done there",
      ),
    reporters: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe("Reports to make: 'table', or with a file 'junit=chaos.xml'"),
  })
  .describe('The config of lightning-chaos. Paths in it are relative to it')

type Config = z.infer<typeof configSchema>

/** What a run was told to do, and by whom. */
export interface Settled {
  readonly scenarios: readonly string[]
  readonly scenariosFrom: string
  /** Path of the config file; undefined where there is none. */
  readonly file: string | undefined
  /** The variable that the seed comes from, where an engine gives the shards of a run theirs. */
  readonly seedFrom: string | undefined
}

/**
 * Fills in what the command line and the environment left open, in the command's own options.
 *
 * @param selectors the scenarios of the command line
 * @throws UsageError where the config is wrong, with line and column, or is not there although it was named
 */
export async function applyConfig(command: Command, selectors: readonly string[]): Promise<Settled> {
  applyEnvironment(command)
  const named: string | boolean = command.opts().config ?? true
  const file = named === false ? undefined : await existing(named)
  const config =
    file === undefined ? {} : parseYaml(file, await readTextFile(file, 'a config', MISSING), configSchema)
  const directory = path.dirname(file ?? '.')
  for (const [name, value] of Object.entries(optionsOf(config, directory))) {
    if (value !== undefined && isOpen(command, name)) command.setOptionValueWithSource(name, value, 'config')
  }
  const seedFrom = applyEngine(command)
  const { scenarios } = config as { scenarios?: readonly string[] }
  if (selectors.length > 0) return { scenarios: selectors, scenariosFrom: 'command line', file, seedFrom }
  if (scenarios === undefined) return { scenarios: [], scenariosFrom: 'default', file, seedFrom }
  return { scenarios: scenarios.map((each) => placed(directory, each)), scenariosFrom: file!, file, seedFrom }
}

function applyEnvironment(command: Command): void {
  const more = {
    reporter: { parse: parseReporter },
    shard: { parse: (text: string) => parseShard(text, undefined, environmentVariable('shard')) },
  }
  for (const [name, { parse }] of Object.entries({ ...SETTINGS, ...more })) {
    const variable = environmentVariable(name)
    const text = process.env[variable]
    if (text === undefined || !isOpen(command, camelCase(name))) continue
    try {
      command.setOptionValueWithSource(camelCase(name), parse(text), 'env')
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error
      throw new UsageError(`${variable}: found '${text}', ${expectation(error)}`)
    }
  }
}

/**
 * Where the run is spread over many machines, the engine that does it says which part is ours, and gives all parts
 * one seed. @returns the variable that the seed comes from
 */
function applyEngine(command: Command): string | undefined {
  if (isOpen(command, 'shard')) {
    const shard = engineShard(process.env)
    if (shard !== undefined) command.setOptionValueWithSource('shard', shard, 'engine')
  }
  const { shard } = command.opts<{ shard?: ShardChoice | false }>()
  if (!shard || shard.total === 1 || !isOpen(command, 'seed')) return undefined
  const found = engineSeed(process.env)
  if (found === undefined) {
    throw new UsageError(
      `shard ${shard.index}/${shard.total} (${shard.from}) needs a seed that all shards have`,
      {
        hint: 'give each the same: --seed TEXT, or LIGHTNING_CHAOS_SEED',
      },
    )
  }
  command.setOptionValueWithSource('seed', found.seed, 'engine')
  return found.from
}

/** Whether nobody has given an option its value yet. */
function isOpen(command: Command, name: string): boolean {
  const source = command.getOptionValueSource(name)
  const isOtherTarget = name === 'target' && command.opts().targetCmd !== undefined
  return (source === undefined || source === 'default') && !isOtherTarget
}

/** 'expected …', to follow what was found. */
function expectation({ message }: InvalidArgumentError): string {
  return message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, '')
}

/** The config as options of the command line, under the names that commander gives them. */
function optionsOf(config: Config, directory: string): Record<string, unknown> {
  const {
    scenarios: _,
    'production-markers': __,
    reporters,
    target,
    baseline,
    ...rest
  } = config as Record<string, unknown>
  const named = Object.entries(rest).map(([name, value]) => [
    camelCase(name),
    value === false ? undefined : value,
  ])
  return {
    ...Object.fromEntries(named),
    ...(target === undefined ? {} : { target: placed(directory, String(target)) }),
    ...(baseline === undefined ? {} : { baseline: placed(directory, String(baseline)) }),
    ...(reporters === undefined ? {} : { reporter: placedReporters(directory, reporters as string[]) }),
  }
}

function placed(directory: string, text: string): string {
  return isPath(text) ? fromDirectory(directory, text) : text
}

function placedReporters(directory: string, texts: readonly string[]): readonly ReporterChoice[] {
  return texts
    .flatMap((text) => parseReporter(text))
    .map(({ name, file }) => ({ name, file: file && fromDirectory(directory, file) }))
}

/** As a file is told from a name everywhere else: by its ending, or by how it begins. */
function isPath(text: string): boolean {
  return /\.(ya?ml|json)$/.test(text) || /^\.{0,2}\//.test(text)
}

/** A path that still reads as one. */
function fromDirectory(directory: string, file: string): string {
  const placed = path.isAbsolute(file) ? file : path.join(directory, file)
  return path.isAbsolute(placed) || placed.startsWith('..') ? placed : `./${placed}`
}

async function existing(named: string | true): Promise<string | undefined> {
  if (named !== true) return named
  // a working directory that is gone, or may not be entered, has no config
  const status = await stat(CONFIG_FILE).catch(() => undefined)
  return status === undefined ? undefined : CONFIG_FILE
}

/** What marks a host in production, as the config in the working directory has it. */
export async function productionMarkers(): Promise<readonly string[]> {
  const file = await existing(true)
  if (file === undefined) return []
  const config = parseYaml(file, await readTextFile(file, 'a config', MISSING), configSchema)
  return (config as { 'production-markers'?: readonly string[] })['production-markers'] ?? []
}

/** What a run would do, and where each value comes from. */
export function printConfig(command: Command, settled: Settled, output: Output): void {
  const rows = [
    ['scenarios', settled.scenarios.join(', ') || 'every built-in one', settled.scenariosFrom],
    ...Object.entries({
      ...SETTINGS,
      'allow-data-loss': FLAG,
      known: KNOWN,
      reporter: REPORTERS,
      shard: SHARD,
    }).map(([name, { show }]) => {
      const key = camelCase(name)
      const value: unknown = command.opts()[key]
      return [name, value === undefined ? '-' : show(value as never), origin(command, name, key, settled)]
    }),
  ]
  const columns = [{ head: 'setting' }, { head: 'value' }, { head: 'from' }]
  const lines = renderGrid(
    columns,
    rows.map((cells) => cells.map((text) => ({ text: text! }))),
    output,
  )
  output.write(`${lines.join('\n')}\n`)
}

const FLAG = { show: (value: boolean) => (value ? 'yes' : 'no') }
const KNOWN = {
  show: (list: readonly KnownFailure[]) =>
    list.map(({ scenario, violation = 'any violation' }) => `${violation} in ${scenario}`).join(', '),
}
const SHARD = {
  show: (shard: ShardChoice | false) => (shard ? `${shard.index}/${shard.total}` : 'no'),
}
const REPORTERS = {
  show: (choices: readonly ReporterChoice[]) =>
    choices.map(({ name, file }) => (file === undefined ? name : `${name}=${file}`)).join(', '),
}

function origin(command: Command, name: string, key: string, { file, seedFrom }: Settled): string {
  switch (command.getOptionValueSource(key)) {
    case 'cli':
      return 'command line'
    case 'env':
      return `environment, ${environmentVariable(name)}`
    case 'config':
      return file!
    case 'engine':
      return `environment, ${name === 'seed' ? seedFrom : (command.opts()[key] as ShardChoice).from}`
    default:
      return 'default'
  }
}

/** The variable that gives an option its value. */
function environmentVariable(name: string): string {
  return `LIGHTNING_CHAOS_${name.replaceAll('-', '_').toUpperCase()}`
}

function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}
