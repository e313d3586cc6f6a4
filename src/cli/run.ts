/** `run` and `replay`: trials against a target, and the report. */
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import path from 'node:path'
import { ExitCode, UsageError } from '../errors.js'
import type { Event } from '../history/events.js'
import type { Baseline } from '../report/baseline.js'
import type { KnownFailure } from '../report/known.js'
import { estimate } from '../report/rates.js'
import { checkDirectory, checkFile } from '../results/files.js'
import { KEPT } from '../results/folder.js'
import { readBaseline } from '../results/read.js'
import { Host } from '../sandbox/host.js'
import type { Isolation } from '../sandbox/isolation.js'
import { type Selected, selectScenarios } from '../scenario/load.js'
import type { Scenario } from '../scenario/schema.js'
import { matcher } from '../scenario/selector.js'
import { DEFAULT_TARGET, resolveTarget } from '../target/resolve.js'
import { runCampaign } from '../trial/campaign.js'
import { replayLine } from '../trial/replay-line.js'
import { hasTrace } from '../volume/volume.js'
import { exitCode } from './exit-code.js'
import { keepResult } from './keep-result.js'
import { DEFAULT_LIMITS, limitsOf, type ReporterChoice, type ShardChoice, type TrialId } from './options.js'
import { openOutputs } from './outputs.js'
import { toolPackage } from './package.js'
import { ourPart, shardSentence } from './part.js'
import { createProgress, type Verbosity } from './progress.js'
import type { Screen } from './screen.js'
import { withStopSignal } from './stop-signal.js'

export interface TargetChoice {
  readonly target?: string
  readonly targetCmd?: string
}

/** Options that run and replay share. */
interface CommonOptions extends TargetChoice {
  /** Milliseconds, all three. */
  readonly timeout: number
  readonly resumeTimeout: number
  readonly trialTimeout: number
  readonly isolation?: Isolation
  readonly keep?: string | true
  /** Whether the traces that are kept have what was read and written. */
  readonly traceBytes?: true
  /** How often each trial is run. */
  readonly repeatEach: number
  readonly reporter?: readonly ReporterChoice[]
  readonly output?: string
  readonly quiet?: true
  readonly verbose?: true
  readonly debug?: true
}

export interface RunOptions extends CommonOptions {
  readonly trials?: number
  readonly seed?: string
  /** Shares from 0 to 1. */
  readonly gate: number
  readonly confidence?: number
  readonly allowDataLoss?: true
  readonly bail?: number | true
  readonly workers: number
  /** The part of the run to do; false: all of it, and undefined, too. */
  readonly shard?: ShardChoice | false
  /** The run to compare with: an id, or a file. */
  readonly baseline?: string
  readonly known?: readonly KnownFailure[]
  /** Whether the result is kept. */
  readonly save?: boolean
}

export interface ReplayOptions extends CommonOptions {
  readonly trial: TrialId
  /** File for the whole history, an event a line. */
  readonly history?: string
}

/** @returns the exit code */
export async function run(
  selectors: readonly string[],
  options: RunOptions,
  screen: Screen,
): Promise<ExitCode> {
  const scenarios = await selectScenarios(selectors)
  await checkKnown(options.known ?? [], scenarios)
  return await execute(
    scenarios,
    { ...options, seed: options.seed ?? randomBytes(4).toString('hex') },
    screen,
  )
}

/** A known failure of a scenario that is not there would be put up with for ever. @throws UsageError */
async function checkKnown(known: readonly KnownFailure[], selected: readonly Selected[]): Promise<void> {
  for (const { scenario } of known) {
    if (!selected.some((each) => matcher(scenario)(each.scenario.name))) await selectScenarios([scenario])
  }
}

/** Runs one trial again, from its line in a report. @returns the exit code */
export async function replay(
  selector: string,
  { history, ...options }: ReplayOptions,
  screen: Screen,
): Promise<ExitCode> {
  const scenarios = await selectScenarios([selector])
  if (scenarios.length !== 1) {
    throw new UsageError(`'${selector}' names ${scenarios.length} scenarios, and a trial is of one`, {
      hint: 'copy the line from the report',
    })
  }
  const settings = { ...options, seed: options.trial.seed, gate: 1, workers: 1 }
  if (history === undefined) return await execute(scenarios, settings, screen)
  await checkFile(history)
  const file = openSync(history, 'w')
  try {
    const onEvents = (events: readonly Event[]) =>
      void writeSync(file, events.map((event) => `${JSON.stringify(event)}\n`).join(''))
    return await execute(scenarios, { ...settings, onEvents }, screen)
  } finally {
    closeSync(file)
  }
}

interface Settings extends RunOptions {
  readonly seed: string
  readonly trial?: TrialId
  onEvents?(events: readonly Event[]): void
}

async function execute(selected: readonly Selected[], options: Settings, screen: Screen): Promise<ExitCode> {
  const scenarios = options.traceBytes === true ? tracingBytes(selected, options) : selected
  const target = await resolveTarget(options)
  const outputs = await openOutputs(options.reporter ?? [], options.output)
  const keep =
    options.keep === undefined ? undefined : path.resolve(options.keep === true ? KEPT : options.keep)
  if (keep !== undefined) await checkDirectory(keep)
  const baseline = options.baseline === undefined ? undefined : await readBaseline(options.baseline)
  return await withStopSignal(async (signal) => {
    const result = await inHost(options, async (host) => {
      const settings = campaign(scenarios, options, baseline)
      const { shard, isOurs, ours, meanMs } = await ourPart(
        settings.scenarios.map(({ name, trials }) => ({ name, trials: settings.trials ?? trials })),
        calledTarget(options),
        options.shard,
      )
      const pace = Math.min(options.workers, host.mostWorkers) / options.repeatEach
      const expected = options.trial === undefined ? estimate(meanMs, ours, pace) : undefined
      if (shard !== undefined && !options.quiet) screen.err.write(`${shardSentence(shard, ours)}\n`)
      const progress = await createProgress(screen.err, verbosityOf(options), expected)
      try {
        return await runCampaign(host, {
          ...settings,
          shard,
          isOurs,
          target,
          keep,
          signal,
          progress,
          onEvents(events, trial) {
            progress.events(trial, events)
            options.onEvents?.(events)
          },
        })
      } finally {
        progress.stop()
      }
    })
    if (options.save) await keepResult(result, calledTarget(options), screen)
    await outputs.write(result, screen)
    return signal.aborted ? ExitCode.interrupted : exitCode(result)
  })
}

/** @throws UsageError where no trace would be kept */
function tracingBytes(selected: readonly Selected[], { keep }: Settings): Selected[] {
  if (keep === undefined) {
    throw new UsageError('--trace-bytes needs --keep, which leaves the traces', { hint: 'add --keep' })
  }
  if (!selected.some(({ scenario }) => hasTrace(scenario.volume))) {
    throw new UsageError('--trace-bytes is for scenarios on glass, and none of these is', {
      hint: 'lightning-chaos list shows the volume of each',
    })
  }
  return selected.map((each) => {
    const { scenario } = each
    if (!hasTrace(scenario.volume)) return each
    return { ...each, scenario: { ...scenario, volume: { ...scenario.volume, trace: 'bytes' } } }
  })
}

async function inHost<T>({ isolation }: CommonOptions, use: (host: Host) => Promise<T>): Promise<T> {
  const host = await Host.open(isolation)
  try {
    return await use(host)
  } finally {
    await host.close()
  }
}

/** What the user called the target. */
function calledTarget({ target, targetCmd }: TargetChoice): string {
  return targetCmd ?? target ?? DEFAULT_TARGET
}

/** What the options say of the run itself. */
function campaign(selected: readonly Selected[], options: Settings, baseline: Baseline | undefined) {
  const sources = new Map(selected.map(({ scenario, source }) => [scenario, source]))
  return {
    scenarios: selected.map(({ scenario }) => scenario),
    seed: options.seed,
    trials: options.trials,
    repeatEach: options.repeatEach,
    only: options.trial,
    workers: options.workers,
    limits: limitsOf(options),
    gate: {
      target: options.gate,
      allowDataLoss: options.allowDataLoss ?? false,
      ...(options.confidence === undefined ? {} : { confidence: options.confidence }),
      ...(options.known === undefined ? {} : { known: options.known }),
      ...(baseline === undefined ? {} : { baseline }),
    },
    bail: options.bail === true ? 1 : options.bail,
    tool: toolPackage(),
    replay: (scenario: Scenario, trial: TrialId) => {
      const source = sources.get(scenario)!
      return replayLine('file' in source ? source.file : scenario.name, trial, replayArguments(options))
    },
  }
}

function verbosityOf({ quiet, verbose, debug }: CommonOptions): Verbosity {
  if (debug) return 'debug'
  if (verbose) return 'verbose'
  return quiet ? 'quiet' : 'normal'
}

/** What has to stand in a replay line beside the trial, so that it runs in the same way. */
function replayArguments({ target, targetCmd, isolation, ...options }: CommonOptions): string[] {
  const limit = (name: string, value: number, usual: number) => (value === usual ? [] : [name, `${value}ms`])
  return [
    ...(target === undefined ? [] : ['--target', target]),
    ...(targetCmd === undefined ? [] : ['--target-cmd', targetCmd]),
    ...limit('--timeout', options.timeout, DEFAULT_LIMITS.timeout),
    ...limit('--resume-timeout', options.resumeTimeout, DEFAULT_LIMITS.resumeTimeout),
    ...limit('--trial-timeout', options.trialTimeout, DEFAULT_LIMITS.trialTimeout),
    ...(isolation === undefined ? [] : ['--isolation', isolation]),
  ]
}
