/** Runs one trial in a sandbox and has its history judged as it comes in. */
import path from 'node:path'
import { ExitCode } from '../errors.js'
import type { Event } from '../history/events.js'
import { packTimeline } from '../history/packed-timeline.js'
import { timelineOf } from '../history/timeline.js'
import { Judge } from '../oracle/judge.js'
import type { TrialResult } from '../report/result.js'
import type { Host } from '../sandbox/host.js'
import { SandboxError, SandboxTimeout } from '../sandbox/sandbox.js'
import type { Trial } from './trial.js'

export interface ExecuteOptions {
  readonly signal: AbortSignal
  /** Directory to keep the files of trials that did not pass in; undefined: keep none. */
  readonly keep: string | undefined
  /** Is handed the whole history as it happens, whatever the verdict. */
  onEvents?(events: readonly Event[]): void
  /** The command that runs this trial again. */
  readonly replay: string
  /** Which of several runs of the trial it is, from 1. */
  readonly run: number
}

/** What became of a trial, and the target's own name and version. */
export interface Executed {
  readonly result: TrialResult
  readonly target: { readonly name: string; readonly version: string } | undefined
  /** Whom the target ran as. */
  readonly identity: string | undefined
}

/**
 * Runs a trial. Whatever goes wrong in it is a result, not an exception.
 * @throws SandboxError where no other trial would fare better (the target's program is not there, say); the
 *   signal's reason where the run was aborted
 */
export async function executeTrial(host: Host, trial: Trial, options: ExecuteOptions): Promise<Executed> {
  const started = performance.now()
  const judge = new Judge({ seed: trial.seed, contract: trial.target.contract })
  const history: Event[] = []
  let log = ''
  let target: Executed['target']
  let identity: string | undefined
  let kept: Pick<TrialResult, 'kept' | 'notKept'> = {}
  const base = { scenario: trial.scenario.name, seed: trial.seed, index: trial.index, replay: options.replay }
  const durationMs = () => Math.round(performance.now() - started)

  try {
    await host.exchange(
      { kind: 'trial', trial, ...keepIn(options, trial) },
      {
        timeoutMs: trial.limits.trialMs,
        signal: options.signal,
        onMessage(message, answer) {
          if ('events' in message) {
            for (const event of message.events) judge.observe(event)
            history.push(...message.events)
            options.onEvents?.(message.events)
          } else if ('finished' in message) {
            ;({ log, target, identity } = message.finished)
            answer({ keep: judge.finish().verdict !== 'passed' })
          } else if ('kept' in message || 'notKept' in message) {
            kept = message
          }
        },
      },
    )
  } catch (error) {
    options.signal.throwIfAborted()
    if (error instanceof SandboxError && error.exitCode !== ExitCode.internal) throw error
    const reason =
      error instanceof SandboxTimeout
        ? `the trial did not end within ${trial.limits.trialMs} ms (--trial-timeout), and was killed`
        : (error as Error).message
    return {
      result: {
        ...base,
        verdict: 'error',
        reason,
        durationMs: durationMs(),
        timeline: packTimeline(timelineOf(history)),
        history,
      },
      target,
      identity,
    }
  }

  const judgement = judge.finish()
  const { verdict, reason } = judgement
  const result = {
    ...base,
    verdict,
    judgement,
    durationMs: durationMs(),
    timeline: packTimeline(
      timelineOf(
        history,
        judgement.violations.map(({ at }) => at),
      ),
    ),
    ...(reason === undefined ? {} : { reason }),
  }
  const details = { history, targetLog: log, ...kept }
  return { result: verdict === 'passed' ? result : { ...result, ...details }, target, identity }
}

function keepIn({ keep, run }: ExecuteOptions, { scenario, seed }: Trial): { keep?: string } {
  const name = `${scenario.name}-${seed}${run === 1 ? '' : `~${run}`}`
  return keep === undefined ? {} : { keep: path.join(keep, name) }
}
