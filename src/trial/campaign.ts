/** A whole run: many scenarios, many trials of each, on a few workers. */
import type { Event } from '../history/events.js'
import { mergeRuns } from '../report/flaky.js'
import type { RunResult, ScenarioResult, Shard, TrialResult } from '../report/result.js'
import type { Host } from '../sandbox/host.js'
import type { Capability } from '../sandbox/need.js'
import { needsOf } from '../scenario/needs.js'
import { planTrials, type TrialKey } from '../scenario/plan.js'
import type { Scenario } from '../scenario/schema.js'
import type { TargetSpec } from '../target/spec.js'
import { missing } from './capable.js'
import { executeTrial } from './execute.js'
import { runPool } from './pool.js'
import { repeat } from './repeat.js'
import type { Limits } from './trial.js'

export interface CampaignOptions {
  readonly scenarios: readonly Scenario[]
  readonly target: TargetSpec
  readonly seed: string
  /** Trials of each scenario; undefined: as many as it says itself. */
  readonly trials: number | undefined
  /** Which part of the run this is; undefined: all of it. */
  readonly shard?: Shard | undefined
  /** Whether a trial is of our part; all are, unless given. */
  readonly isOurs?: ((scenario: string, index: number) => boolean) | undefined
  /** How often each trial is run. */
  readonly repeatEach: number
  /** Runs one trial that is already known, instead of planning any. */
  readonly only?: TrialKey | undefined
  readonly workers: number
  readonly limits: Limits
  readonly gate: RunResult['gate']
  /** Stop after this many trials that did not pass. */
  readonly bail: number | undefined
  readonly keep: string | undefined
  readonly tool: RunResult['tool']
  /** Is handed the whole history of every trial as it happens. */
  readonly onEvents?: ((events: readonly Event[], trial: TrialName) => void) | undefined
  /** Stops the run; what is done so far is the result. */
  readonly signal: AbortSignal
  replay(scenario: Scenario, trial: TrialKey): string
  readonly progress: {
    begin(scenario: Scenario, trials: number): void
    trial(result: TrialResult): void
    end(result: ScenarioResult): void
  }
}

/** Which trial of a run it is. */
export type TrialName = Pick<TrialResult, 'scenario' | 'seed' | 'index'>

interface Job {
  readonly key: TrialKey
  readonly row: Row
}

interface Row {
  readonly scenario: Scenario
  readonly keys: readonly TrialKey[]
  readonly results: TrialResult[]
  begun: boolean
}

/** @throws SandboxError where no trial can run (the target's program is not there, say) */
export async function runCampaign(host: Host, options: CampaignOptions): Promise<RunResult> {
  const { scenarios, signal, progress } = options
  const startedAt = new Date()
  const started = performance.now()
  const needs = new Set(scenarios.flatMap(needsOf))
  let capabilities: readonly Capability[] = []
  let target: RunResult['target'] = {
    name: options.target.name,
    version: '',
    waived: options.target.contract.waived,
  }
  let identity = ''
  let bad = 0
  let stoppedShort = false

  const rows: Row[] = scenarios.map((scenario) => {
    return { scenario, keys: keysOf(scenario, options), results: [], begun: false }
  })
  const jobs: Job[] = rows.flatMap((row) => row.keys.map((key) => ({ key, row })))

  const work = async ({ key, row }: Job): Promise<void> => {
    const { scenario } = row
    if (!row.begun) {
      row.begun = true
      progress.begin(scenario, row.keys.length)
    }
    const replay = options.replay(scenario, key)
    const lacking = missing(scenario, capabilities)
    if (lacking !== undefined) {
      const skipped = {
        scenario: scenario.name,
        ...key,
        replay,
        durationMs: 0,
        verdict: 'skipped',
        reason: lacking,
      } as const
      row.results.push(skipped)
      progress.trial(skipped)
    } else {
      const trial = { schema: 1, scenario, target: options.target, ...key, limits: options.limits } as const
      const runs = await repeat(options.repeatEach, signal, async (run) => {
        const executed = await executeTrial(host, trial, {
          signal,
          keep: options.keep,
          replay,
          run,
          onEvents: (events) => options.onEvents?.(events, { scenario: scenario.name, ...key }),
        })
        if (executed.target !== undefined) target = { ...target, ...executed.target }
        identity = executed.identity ?? identity
        return executed.result
      })
      stoppedShort ||= runs.length < options.repeatEach
      const result = options.repeatEach === 1 ? runs[0] : mergeRuns(runs)
      row.results.push(result)
      if (result.verdict !== 'passed') bad += 1
      progress.trial(result)
    }
    if (row.results.length === row.keys.length) progress.end(scenarioResult(row))
  }

  const bailedOut = () => options.bail !== undefined && bad >= options.bail
  try {
    capabilities = await host.capabilities([...needs], signal)
    await runPool(
      Math.min(options.workers, host.mostWorkers),
      jobs,
      work,
      () => bailedOut() || signal.aborted,
    )
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return {
    tool: options.tool,
    target,
    isolation: identity === '' ? host.isolation : `${host.isolation} (${identity})`,
    seed: options.seed,
    ...(options.shard === undefined ? {} : { shard: options.shard }),
    ...(options.repeatEach === 1 ? {} : { repeatEach: options.repeatEach }),
    startedAt: startedAt.toISOString(),
    durationMs: Math.round(performance.now() - started),
    gate: options.gate,
    complete: !stoppedShort && rows.every((row) => row.results.length === row.keys.length),
    scenarios: rows.filter((row) => row.results.length > 0).map(scenarioResult),
  }
}

function keysOf(scenario: Scenario, { seed, trials, only, isOurs }: CampaignOptions): TrialKey[] {
  if (only !== undefined) return [only]
  const keys = planTrials(scenario, { seed, trials })
  return isOurs === undefined ? keys : keys.filter(({ index }) => isOurs(scenario.name, index))
}

function scenarioResult({ scenario, results }: Row): ScenarioResult {
  const trials = [...results].sort((a, b) => a.index - b.index)
  return { name: scenario.name, title: scenario.title, volume: scenario.volume.kind, trials }
}
