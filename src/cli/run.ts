/** `run` and `replay`: trials against a target, and the report. */
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { ExitCode, UsageError } from '../errors.js'
import { judgeGate } from '../report/gate.js'
import type { RunResult } from '../report/result.js'
import { Host } from '../sandbox/host.js'
import type { Isolation } from '../sandbox/isolation.js'
import { type Selected, selectScenarios } from '../scenario/load.js'
import { quoteCommandLine } from '../target/command-line.js'
import { resolveTarget } from '../target/resolve.js'
import { runCampaign } from '../trial/campaign.js'
import type { ReporterChoice, TrialId } from './options.js'
import { openOutputs } from './outputs.js'
import { toolPackage } from './package.js'
import { createProgress } from './progress.js'
import type { Screen } from './screen.js'
import { withStopSignal } from './stop-signal.js'

export interface TargetChoice {
  readonly target?: string
  readonly targetCmd?: string
}

/** Options that run and replay share. */
export interface CommonOptions extends TargetChoice {
  /** Milliseconds, all three. */
  readonly timeout: number
  readonly resumeTimeout: number
  readonly trialTimeout: number
  readonly isolation?: Isolation
  readonly keep?: string | true
  readonly reporter?: readonly ReporterChoice[]
  readonly output?: string
  readonly history?: string
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
  options: CommonOptions & { readonly trial: TrialId },
  screen: Screen,
): Promise<ExitCode> {
  const scenarios = await selectScenarios([selector])
  if (scenarios.length !== 1) {
    throw new UsageError(`'${selector}' names ${scenarios.length} scenarios, and a trial is of one`, {
      hint: 'copy the line from the report',
    })
  }
  return await execute(scenarios, { ...options, seed: options.trial.seed, gate: 1, workers: 1 }, screen)
}

type Settings = RunOptions & { readonly seed: string; readonly trial?: TrialId }

async function execute(selected: readonly Selected[], options: Settings, screen: Screen): Promise<ExitCode> {
  const target = await resolveTarget(options)
  const outputs = await openOutputs(options.reporter ?? [], options.output)
  const host = await Host.open(options.isolation)
  const progress = await createProgress(screen.err)
  const keep = options.keep === true ? KEEP_DIRECTORY : options.keep
  const sources = new Map(selected.map(({ scenario, source }) => [scenario, source]))
  try {
    return await withStopSignal(async (signal) => {
      const result = await runCampaign(host, {
        scenarios: selected.map(({ scenario }) => scenario),
        target,
        seed: options.seed,
        trials: options.trials,
        ...(options.trial === undefined ? {} : { only: options.trial }),
        workers: options.workers,
        limits: { answerMs: options.timeout, resumeMs: options.resumeTimeout, trialMs: options.trialTimeout },
        gate: {
          target: options.gate,
          allowDataLoss: options.allowDataLoss ?? false,
          ...(options.confidence === undefined ? {} : { confidence: options.confidence }),
        },
        bail: options.bail === true ? 1 : options.bail,
        keep: keep === undefined ? undefined : path.resolve(keep),
        tool: toolPackage(),
        signal,
        replay: (scenario, { seed, index }) => {
          const source = sources.get(scenario)!
          const name = 'file' in source ? source.file : scenario.name
          return `npx lightning-chaos replay ${quoteCommandLine([name, '--trial', `${seed}.${index}`, ...targetArguments(options)])}`
        },
        progress,
      })
      progress.stop()
      await outputs.write(result, screen.out)
      return exitCode(result, signal)
    })
  } finally {
    progress.stop()
    await host.close()
  }
}

function exitCode(result: RunResult, signal: AbortSignal): ExitCode {
  if (signal.aborted) return ExitCode.interrupted
  return judgeGate(result).met ? ExitCode.gateMet : ExitCode.gateMissed
}

/** The target's options again, as they have to stand in a replay line. */
function targetArguments({ target, targetCmd }: TargetChoice): string[] {
  return [
    ...(target === undefined ? [] : ['--target', target]),
    ...(targetCmd === undefined ? [] : ['--target-cmd', targetCmd]),
  ]
}
