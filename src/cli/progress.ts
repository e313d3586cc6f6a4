/** What a person sees while a run goes on: on a terminal one live line, elsewhere a line for each scenario done. */
import type { Ora } from 'ora'
import type { Event } from '../history/events.js'
import { eventInWords } from '../history/words.js'
import { isFlaky, runsInWords } from '../report/flaky.js'
import type { Estimate } from '../report/rates.js'
import type { ScenarioResult, TrialResult, VerdictName } from '../report/result.js'
import { inSeconds } from '../report/sentences.js'
import { type Counts, countVerdicts } from '../report/stats.js'
import { oneLine, plural } from '../report/words.js'
import type { TrialName } from '../trial/campaign.js'
import type { Output } from './screen.js'

/** `quiet`: nothing. `verbose`: a line for each trial. `debug`: what happens in each, too, but for its operations. */
export type Verbosity = 'quiet' | 'normal' | 'verbose' | 'debug'

export interface Progress {
  begin(scenario: { readonly name: string }, trials: number): void
  /** What has just happened in a trial. */
  events(trial: TrialName, events: readonly Event[]): void
  trial(result: TrialResult): void
  end(scenario: ScenarioResult): void
  /** Takes the live line away. Nothing may be told after that. */
  stop(): void
}

/**
 * Scenarios may overlap: each is told apart by its name.
 * @param expected how long it is going to take, where that is known
 */
export async function createProgress(
  output: Output,
  verbosity: Verbosity = 'normal',
  expected?: Estimate,
): Promise<Progress> {
  if (verbosity === 'normal' && output.interactive) return await liveProgress(output, expected)
  if (verbosity === 'normal' && expected !== undefined)
    output.write(`${about(expected.totalMs)}, from the last run\n`)
  return plainProgress(output, verbosity)
}

/** 'about 40 s', 'about 3 min': no more exact than it is. */
function about(milliseconds: number): string {
  const seconds = Math.max(1, Math.round(milliseconds / 1000))
  if (seconds < 10) return `about ${seconds} s`
  if (seconds < 90) return `about ${Math.round(seconds / 5) * 5} s`
  return `about ${Math.round(seconds / 60)} min`
}

/** How far the trials of a scenario that count their way through operations came, by its name. */
class Rounds {
  readonly #furthest = new Map<string, number>()

  /** @returns the round that has just begun, where one has */
  see({ scenario }: TrialName, events: readonly Event[]): number | undefined {
    const last = events.findLast((event) => event.type === 'round')
    if (last === undefined) return undefined
    this.#furthest.set(scenario, Math.max(last.number, this.of(scenario)))
    return last.number
  }

  /** 0 where it has none. */
  of(scenario: string): number {
    return this.#furthest.get(scenario) ?? 0
  }
}

function plainProgress(output: Output, verbosity: Verbosity): Progress {
  const tellsTrials = verbosity === 'verbose' || verbosity === 'debug'
  const rounds = new Rounds()
  return {
    begin() {},
    events(trial, events) {
      rounds.see(trial, events)
      if (verbosity !== 'debug') return
      for (const event of events) {
        const text = eventInWords(event)
        if (text !== undefined) output.write(debugLine(trial, event.time, text))
      }
    },
    trial(result) {
      if (tellsTrials) output.write(trialLine(result, output))
    },
    end(scenario) {
      if (verbosity !== 'quiet') output.write(`${finished(scenario, rounds, output)}\n`)
    },
    stop() {},
  }
}

/** 'passed        diskfull/sweep 1f09c2a7b3de.4  0.9 s'. */
function trialLine(trial: TrialResult, { chalk }: Output): string {
  const { scenario, seed, index, verdict, durationMs, reason, judgement } = trial
  const ended = reason ?? judgement?.violations.map(({ kind }) => kind).join(', ') ?? ''
  const why = isFlaky(trial) ? `flaky: ${runsInWords(trial)}` : ended
  const end = why === '' ? '' : `: ${oneLine(why)}`
  const what = `${scenario} ${seed}.${index}  ${inSeconds(durationMs)}${end}`
  return `${chalk[COLOURS[verdict]](verdict.padEnd('inconclusive'.length))}  ${what}\n`
}

function debugLine({ scenario, seed, index }: TrialName, time: number, text: string): string {
  return `${time.toFixed(1).padStart(8)} ms  ${scenario} ${seed}.${index}  ${oneLine(text)}\n`
}

/** A scenario that is under way. */
interface Running {
  readonly trials: number
  readonly results: Pick<TrialResult, 'verdict'>[]
  /** Of a trial that counts its way through operations: the round it is in. */
  round?: number | undefined
}

async function liveProgress(output: Output, expected: Estimate | undefined): Promise<Progress> {
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
  const running = new Map<string, Running>()
  const rounds = new Rounds()
  let leftMs = expected?.totalMs ?? 0

  const show = (name: string) => {
    const state = running.get(name)
    if (state === undefined) return
    const others = running.size > 1 ? `, and ${plural(running.size - 1, 'more scenario')}` : ''
    const done = `${state.results.length}/${state.trials}`
    const round = state.round === undefined ? '' : `round ${state.round}`
    const parts = [done, tally(countVerdicts(state.results)), round].filter((part) => part !== '')
    const left = leftMs > 0 ? `  ${about(leftMs)} left` : ''
    spinner.text =
      `${name}  ${parts.join('  ')}${others}`.slice(0, Math.max(0, width - 4 - left.length)) + left
    if (!spinner.isSpinning) spinner.start()
  }

  return {
    begin({ name }, trials) {
      running.set(name, { trials, results: [] })
      show(name)
    },
    events(trial, events) {
      const state = running.get(trial.scenario)
      const round = rounds.see(trial, events)
      if (state === undefined || round === undefined) return
      state.round = round
      show(trial.scenario)
    },
    trial(result) {
      const state = running.get(result.scenario)
      state?.results.push(result)
      if (state !== undefined) state.round = undefined
      leftMs -= expected?.shareMs(result.scenario) ?? 0
      show(result.scenario)
    },
    end(scenario) {
      running.delete(scenario.name)
      spinner.stop()
      output.write(`${finished(scenario, rounds, output)}\n`)
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

/** 'passed        diskfull/sweep  24 passed', 'passed        io-error/each-write  2 passed, up to round 31'. */
function finished({ name, trials }: ScenarioResult, rounds: Rounds, { chalk }: Output): string {
  const counts = countVerdicts(trials)
  const verdict = worst(counts)
  const reason =
    verdict === 'passed' || verdict === 'failed'
      ? undefined
      : trials.find((trial) => trial.verdict === verdict)?.reason
  const why = reason === undefined ? '' : `: ${oneLine(reason)}`
  const furthest = rounds.of(name) > 0 ? `, up to round ${rounds.of(name)}` : ''
  const ended = `${tally(counts)}${furthest}${why}`
  return `${chalk[COLOURS[verdict]](verdict.padEnd('inconclusive'.length))}  ${name}  ${ended}`
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
