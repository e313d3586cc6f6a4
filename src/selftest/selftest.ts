/** Tests the tester: every planted bug has to be found, and no correct database accused. */
import { HostError } from '../errors.js'
import type { RunResult, ScenarioResult } from '../report/result.js'
import type { Host } from '../sandbox/host.js'
import { needsOf } from '../scenario/needs.js'
import type { Scenario } from '../scenario/schema.js'
import { quoteCommandLine } from '../target/command-line.js'
import type { TargetSpec } from '../target/spec.js'
import { runCampaign } from '../trial/campaign.js'
import { missing } from '../trial/capable.js'
import { executeTrial } from '../trial/execute.js'
import { runPool } from '../trial/pool.js'
import { replayLine } from '../trial/replay-line.js'
import type { Limits } from '../trial/trial.js'
import { type BrokenDatabase, type Catalogue, fixtureFile, fixtureTarget } from './catalogue.js'
import { type Attempt, hunt, planHunt } from './hunt.js'
import type { BrokenResult, CorrectResult, SelftestResult } from './result.js'
import { correctResult, isRight } from './verdict.js'

/** A target that is right, and how to name it on a command line. */
export interface CorrectTarget {
  readonly name: string
  readonly options: readonly string[]
  /** @throws HostError where this host lacks what the target needs */
  spec(): Promise<TargetSpec>
}

export interface SelftestOptions {
  readonly catalogue: Catalogue
  /** Of the catalogue, those to hunt for. */
  readonly broken: readonly BrokenDatabase[]
  readonly correct: readonly CorrectTarget[]
  /** Every scenario that there is. */
  readonly scenarios: readonly Scenario[]
  readonly seed: string
  /** Most trials for one bug. */
  readonly trials: number
  /** Trials of each scenario with each correct target. */
  readonly correctTrials: number
  readonly workers: number
  readonly limits: Limits
  readonly tool: RunResult['tool']
  /** Stops the run; what is done so far is the result. */
  readonly signal: AbortSignal
  readonly progress: {
    broken(result: BrokenResult): void
    scenario(target: string, result: ScenarioResult): void
    correct(result: CorrectResult): void
  }
}

/** The database that the broken ones are made from, as a target. */
export function correctFixture(catalogue: Catalogue): CorrectTarget {
  const { name } = catalogue.correct
  return { name, options: commandOption(name), spec: async () => fixtureTarget(name, catalogue) }
}

/** @throws SandboxError where no trial can run at all */
export async function runSelftest(host: Host, options: SelftestOptions): Promise<SelftestResult> {
  const { tool, seed, signal } = options
  const started = performance.now()
  const broken: BrokenResult[] = []
  const correct: CorrectResult[] = []
  try {
    await huntAll(host, options, broken)
    for (const target of options.correct) {
      const result = await tryCorrect(host, target, options)
      if (signal.aborted) break
      options.progress.correct(result)
      correct.push(result)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  const complete =
    broken.length === options.broken.length && correct.length === options.correct.length && !signal.aborted
  return {
    schema: 1,
    tool,
    isolation: host.isolation,
    seed,
    durationMs: Math.round(performance.now() - started),
    complete,
    met: complete && isRight(broken, correct),
    broken: options.broken.flatMap(({ name }) => broken.filter((result) => result.name === name)),
    correct,
  }
}

async function huntAll(host: Host, options: SelftestOptions, results: BrokenResult[]): Promise<void> {
  const { catalogue, seed, trials, limits, signal, progress } = options
  const scenariosOf = ({ scenarios }: BrokenDatabase) =>
    scenarios.flatMap((name) => options.scenarios.filter((scenario) => scenario.name === name))
  const needs = new Set(options.broken.flatMap(scenariosOf).flatMap(needsOf))
  const capabilities = await host.capabilities([...needs], signal)

  const work = async (database: BrokenDatabase): Promise<void> => {
    const { name, bug, expects } = database
    const target = fixtureTarget(name, catalogue)
    const scenarios = scenariosOf(database)
    const possible = scenarios.filter((scenario) => missing(scenario, capabilities) === undefined)
    const run = async ({ scenario, key }: Attempt<Scenario>) => {
      const trial = { schema: 1, scenario, target, ...key, limits } as const
      const replay = replayLine(scenario.name, key, commandOption(name))
      return (await executeTrial(host, trial, { signal, keep: undefined, replay, run: 1 })).result
    }
    const result: BrokenResult =
      possible.length > 0
        ? await hunt(database, planHunt(possible, { seed, trials }), run)
        : { name, bug, expects, outcome: 'skipped', why: missing(scenarios[0]!, capabilities)! }
    results.push(result)
    progress.broken(result)
  }
  await runPool(Math.min(options.workers, host.mostWorkers), options.broken, work, () => signal.aborted)
}

async function tryCorrect(
  host: Host,
  target: CorrectTarget,
  options: SelftestOptions,
): Promise<CorrectResult> {
  const { name } = target
  let spec: TargetSpec
  try {
    spec = await target.spec()
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    return { name, outcome: 'skipped', why: error.message }
  }
  const { scenarios, seed, correctTrials, workers, limits, tool, signal, progress } = options
  const run = await runCampaign(host, {
    ...{ scenarios, target: spec, seed, trials: correctTrials, workers, limits, tool, signal },
    repeatEach: 1,
    gate: { target: 1, allowDataLoss: false },
    bail: undefined,
    keep: undefined,
    replay: (scenario, key) => replayLine(scenario.name, key, target.options),
    progress: { begin() {}, trial() {}, end: (result) => progress.scenario(name, result) },
  })
  return correctResult(name, run)
}

/** The option of the command line that tests a database of the catalogue. */
function commandOption(name: string): string[] {
  return ['--target-cmd', quoteCommandLine(['node', fixtureFile(name)])]
}
