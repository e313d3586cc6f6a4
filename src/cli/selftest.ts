/** `selftest`: the databases that are broken on purpose, and the correct ones. */
import { randomBytes } from 'node:crypto'
import { ExitCode, UsageError } from '../errors.js'
import { Host } from '../sandbox/host.js'
import type { Isolation } from '../sandbox/isolation.js'
import { builtinScenarios } from '../scenario/load.js'
import { nearest } from '../scenario/nearest.js'
import { loadCatalogue } from '../selftest/catalogue.js'
import type { BrokenResult, CorrectResult, SelftestResult } from '../selftest/result.js'
import { type CorrectTarget, correctFixture, runSelftest } from '../selftest/selftest.js'
import { renderSelftest } from '../selftest/table.js'
import { BUNDLED_TARGETS } from '../target/registry.js'
import { limitsOf } from './options.js'
import { toolPackage } from './package.js'
import { createProgress } from './progress.js'
import type { Screen } from './screen.js'
import { withStopSignal } from './stop-signal.js'

export interface SelftestVerbOptions {
  /** Broken databases and correct targets; none: all of them. */
  readonly names: readonly string[]
  /** Most trials for one bug. */
  readonly trials: number
  /** Trials of each scenario with each correct target. */
  readonly correctTrials: number
  readonly seed?: string
  readonly workers: number
  /** Milliseconds, all three. */
  readonly timeout: number
  readonly resumeTimeout: number
  readonly trialTimeout: number
  readonly isolation?: Isolation
  readonly json?: true
}

/** @returns the exit code: 1 where a bug is missed or a correct target is accused, 3 where nothing can be run here */
export async function selftest(options: SelftestVerbOptions, screen: Screen): Promise<ExitCode> {
  const catalogue = await loadCatalogue()
  const everyCorrect = [correctFixture(catalogue), ...bundledTargets()]
  const isChosen = chooser(options.names, [...catalogue.broken, ...everyCorrect])
  const scenarios = await builtinScenarios()
  const host = await Host.open(options.isolation)
  const progress = await createProgress(screen.err)
  const say = (word: string, name: string, rest = '') =>
    screen.err.write(`${word.padEnd(12)}  ${name}${rest}\n`)
  try {
    return await withStopSignal(async (signal) => {
      const result = await runSelftest(host, {
        catalogue,
        broken: catalogue.broken.filter(isChosen),
        correct: everyCorrect.filter(isChosen),
        scenarios,
        seed: options.seed ?? randomBytes(4).toString('hex'),
        trials: options.trials,
        correctTrials: options.correctTrials,
        workers: options.workers,
        limits: limitsOf(options),
        tool: toolPackage(),
        signal,
        progress: {
          broken: (each) =>
            say(each.outcome, each.name, each.outcome === 'found' ? `  ${each.scenario}` : ''),
          scenario: (target, each) => progress.end({ ...each, name: `${target}: ${each.name}` }),
          correct: (each) => say(each.outcome, each.name),
        },
      })
      screen.out.write(
        options.json ? `${JSON.stringify(result, null, 2)}\n` : renderSelftest(result, screen.out),
      )
      return exitCode(result, signal)
    })
  } finally {
    progress.stop()
    await host.close()
  }
}

function bundledTargets(): CorrectTarget[] {
  return Object.entries(BUNDLED_TARGETS).map(([name, spec]) => ({ name, options: ['--target', name], spec }))
}

/** @throws UsageError for a name that nobody has */
function chooser(wanted: readonly string[], known: readonly { readonly name: string }[]) {
  const names = new Set(known.map(({ name }) => name))
  for (const name of wanted) {
    if (names.has(name)) continue
    const near = nearest(name, names)
    throw new UsageError(`the self-test knows no '${name}'`, {
      hint: near === undefined ? `it knows ${[...names].join(', ')}` : `did you mean ${near}?`,
    })
  }
  return ({ name }: { readonly name: string }) => wanted.length === 0 || wanted.includes(name)
}

function exitCode({ met, broken, correct }: SelftestResult, signal: AbortSignal): ExitCode {
  if (signal.aborted) return ExitCode.interrupted
  const all: readonly (BrokenResult | CorrectResult)[] = [...broken, ...correct]
  if (all.every(({ outcome }) => outcome === 'skipped')) return ExitCode.host
  return met ? ExitCode.gateMet : ExitCode.gateMissed
}
