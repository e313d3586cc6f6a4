/** `run` and `replay`: trials against a target, and the report. */
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import path from 'node:path'
import { ExitCode, UsageError } from '../errors.js'
import type { Event } from '../history/events.js'
import { judgeGate } from '../report/gate.js'
import type { RunResult } from '../report/result.js'
import { Host } from '../sandbox/host.js'
import type { Isolation } from '../sandbox/isolation.js'
import { type Selected, selectScenarios } from '../scenario/load.js'
import type { Scenario } from '../scenario/schema.js'
import { resolveTarget } from '../target/resolve.js'
import { runCampaign } from '../trial/campaign.js'
import { replayLine } from '../trial/replay-line.js'
import { checkDirectory, checkFile } from './files.js'
import { DEFAULT_LIMITS, limitsOf, type ReporterChoice, type TrialId } from './options.js'
import { openOutputs } from './outputs.js'
import { toolPackage } from './package.js'
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
}

export interface ReplayOptions extends CommonOptions {
  readonly trial: TrialId
  /** File for the whole history, an event a line. */
  readonly history?: string
}

/** Where --keep puts files when it is given no directory. */
const KEEP_DIRECTORY = '.lightning-chaos/kept'

/** @returns the exit code */
export async function run(
  selectors: readonly string[],
  options: RunOptions,
  screen: Screen,
): Promise<ExitCode> {
  const scenarios = await selectScenarios(selectors)
  return await execute(
    scenarios,
    { ...options, seed: options.seed ?? randomBytes(4).toString('hex') },
    screen,
  )
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
  const target = await resolveTarget(options)
  const outputs = await openOutputs(options.reporter ?? [], options.output)
  const keep =
    options.keep === undefined
      ? undefined
      : path.resolve(options.keep === true ? KEEP_DIRECTORY : options.keep)
  if (keep !== undefined) await checkDirectory(keep)
  return await withStopSignal(async (signal) => {
    const host = await Host.open(options.isolation)
    const progress = await createProgress(screen.err, verbosityOf(options))
    try {
      const result = await runCampaign(host, {
        ...campaign(selected, options),
        target,
        keep,
        signal,
        progress,
        onEvents(events, trial) {
          progress.events(trial, events)
          options.onEvents?.(events)
        },
      })
      progress.stop()
      await outputs.write(result, screen)
      return exitCode(result, signal)
    } finally {
      progress.stop()
      await host.close()
    }
  })
}

/** What the options say of the run itself. */
function campaign(selected: readonly Selected[], options: Settings) {
  const sources = new Map(selected.map(({ scenario, source }) => [scenario, source]))
  return {
    scenarios: selected.map(({ scenario }) => scenario),
    seed: options.seed,
    trials: options.trials,
    ...(options.trial === undefined ? {} : { only: options.trial }),
    workers: options.workers,
    limits: limitsOf(options),
    gate: {
      target: options.gate,
      allowDataLoss: options.allowDataLoss ?? false,
      ...(options.confidence === undefined ? {} : { confidence: options.confidence }),
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

function exitCode(result: RunResult, signal: AbortSignal): ExitCode {
  if (signal.aborted) return ExitCode.interrupted
  const { met, counts } = judgeGate(result)
  if (counts.trials > 0 && counts.skipped === counts.trials) return ExitCode.host
  return met ? ExitCode.gateMet : ExitCode.gateMissed
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
