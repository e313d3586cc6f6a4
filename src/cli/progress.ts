/** What a person sees while a run goes on: on a terminal one live line, elsewhere a line for each scenario done. */
import type { Ora } from 'ora'
import type { ScenarioResult, TrialResult, VerdictName } from '../report/result.js'
import { type Counts, countVerdicts } from '../report/stats.js'
import { oneLine, plural } from '../report/words.js'
import type { Output } from './screen.js'

export interface Progress {
  begin(scenario: { readonly name: string }, trials: number): void
  trial(result: Pick<TrialResult, 'scenario' | 'verdict'>): void
  end(scenario: ScenarioResult): void
  /** Takes the live line away. Nothing may be told after that. */
  stop(): void
}

/** Scenarios may overlap: each is told apart by its name. */
export async function createProgress(output: Output): Promise<Progress> {
  return output.interactive ? await liveProgress(output) : plainProgress(output)
}

function plainProgress(output: Output): Progress {
  return {
    begin() {},
    trial() {},
    end: (scenario) => output.write(`${finished(scenario, output)}\n`),
    stop() {},
  }
}

async function liveProgress(output: Output): Promise<Progress> {
  const { default: ora, spinners } = await import('ora')
  const { chalk, width, stream } = output
  const spinner: Ora = ora({
    isEnabled: true,
    stream,
    // Coloured here: ora's own chalk does not know what the screen decided.
    spinner: { ...spinners.dots, frames: spinners.dots.frames.map((frame) => chalk.cyan(frame)) },
    color: false,
    // Ctrl-C has to reach the process, and a hidden cursor would outlive a kill -9.
    discardStdin: false,
    hideCursor: false,
  })
  const running = new Map<
    string,
    { readonly trials: number; readonly results: Pick<TrialResult, 'verdict'>[] }
  >()

  const show = (name: string) => {
    const state = running.get(name)
    if (state === undefined) return
    const others = running.size > 1 ? `, and ${plural(running.size - 1, 'more scenario')}` : ''
    const done = `${state.results.length}/${state.trials}`
    const parts = [done, tally(countVerdicts(state.results))].filter((part) => part !== '')
    spinner.text = `${name}  ${parts.join('  ')}${others}`.slice(0, width - 4)
    if (!spinner.isSpinning) spinner.start()
  }

  return {
    begin({ name }, trials) {
      running.set(name, { trials, results: [] })
      show(name)
    },
    trial(result) {
      running.get(result.scenario)?.results.push(result)
      show(result.scenario)
    },
    end(scenario) {
      running.delete(scenario.name)
      spinner.stop()
      output.write(`${finished(scenario, output)}\n`)
      const [next] = running.keys()
      if (next !== undefined) show(next)
    },
    stop() {
      if (spinner.isSpinning) spinner.stop()
    },
  }
}

const COLOURS = {
  passed: 'green',
  failed: 'red',
  inconclusive: 'yellow',
  skipped: 'cyan',
  error: 'red',
} as const satisfies Record<VerdictName, string>

/** 'passed        diskfull/sweep  24 passed'. */
function finished({ name, trials }: ScenarioResult, { chalk }: Output): string {
  const counts = countVerdicts(trials)
  const verdict = worst(counts)
  const reason =
    verdict === 'passed' || verdict === 'failed'
      ? undefined
      : trials.find((trial) => trial.verdict === verdict)?.reason
  const why = reason === undefined ? '' : `: ${oneLine(reason)}`
  return `${chalk[COLOURS[verdict]](verdict.padEnd('inconclusive'.length))}  ${name}  ${tally(counts)}${why}`
}

/** What a scenario is called whose trials ended in more than one way. */
function worst(counts: Counts): VerdictName {
  if (counts.errors > 0) return 'error'
  if (counts.failed > 0) return 'failed'
  if (counts.inconclusive > 0) return 'inconclusive'
  return counts.passed > 0 ? 'passed' : 'skipped'
}

function tally({ passed, failed, inconclusive, skipped, errors }: Counts): string {
  const parts = { passed, failed, inconclusive, skipped, [errors === 1 ? 'error' : 'errors']: errors }
  const some = Object.entries(parts).filter(([, count]) => count > 0)
  return some.map(([name, count]) => `${count} ${name}`).join(', ')
}
