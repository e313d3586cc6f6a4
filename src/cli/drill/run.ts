/** `drill FAULT`: plans, checks, asks, does the rounds, and reports. */
import { createInterface } from 'node:readline/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { RefusedError } from '../../drill/errors.js'
import { FAULTS } from '../../drill/faults/index.js'
import { checkNoneActive, checkPlace, checkProduction } from '../../drill/guard.js'
import { findPlace } from '../../drill/host/place.js'
import { usersOf } from '../../drill/host/processes.js'
import { activeDirectory, openState, stateDirectory } from '../../drill/journal.js'
import { type DrillRequest, makePlan } from '../../drill/make-plan.js'
import type { DrillPlan, FaultName } from '../../drill/plan.js'
import { probeOf } from '../../drill/probe/index.js'
import type { Sample } from '../../drill/record.js'
import { resultOf, trialOf } from '../../drill/result.js'
import { type RoundSettings, runRound } from '../../drill/round.js'
import { findService, type Service } from '../../drill/service.js'
import { briefly, planLines, timelineLines } from '../../drill/words.js'
import { ExitCode, UsageError } from '../../errors.js'
import { judgeGate } from '../../report/gate.js'
import type { TrialResult } from '../../report/result.js'
import { oneLine } from '../../report/words.js'
import { quoteCommandLine } from '../../target/command-line.js'
import { productionMarkers } from '../config.js'
import type { ReporterChoice } from '../options.js'
import { openOutputs } from '../outputs.js'
import { toolPackage } from '../package.js'
import type { Screen } from '../screen.js'
import { withStopSignal } from '../stop-signal.js'

export interface DrillOptions {
  readonly path?: string
  readonly allowRootFilesystem?: true
  readonly leave?: number
  readonly reserved?: true
  readonly pid?: number
  readonly service?: string
  readonly user?: string
  /** Milliseconds, all four. */
  readonly for: number
  readonly every: number
  readonly probeTimeout: number
  readonly recover: number
  readonly probe?: readonly string[]
  readonly expectDuring: 'pass' | 'fail' | 'any'
  readonly expectError?: string
  readonly steady: number
  readonly rounds: number
  readonly abortIf?: string
  readonly maxLoad?: number
  readonly minFreeElsewhere?: number
  readonly dryRun?: true
  readonly yes?: true
  readonly gate: number
  readonly state?: string
  readonly reporter?: readonly ReporterChoice[]
  readonly output?: string
}

/** @returns the exit code */
export async function drillFault(fault: FaultName, options: DrillOptions, screen: Screen): Promise<ExitCode> {
  const state = stateDirectory(options.state)
  const place = options.path === undefined ? undefined : findPlace(options.path)
  if (place !== undefined) {
    checkPlace(place, { fault, state, allowRootFilesystem: options.allowRootFilesystem ?? false })
  }
  const service = await findService(options, place)
  const request: DrillRequest = {
    fault,
    place,
    processes: service.processes,
    leave: options.leave ?? 0,
    reserved: options.reserved ?? false,
    forMs: options.for,
  }
  const plan = makePlan(request)
  const lines = describe(plan, service, options, state)
  if (options.dryRun) {
    screen.out.write(`${[...lines, 'nothing was done (--dry-run)'].join('\n')}\n`)
    return ExitCode.gateMet
  }
  checkProduction(await productionMarkers())
  openState(state)
  checkNoneActive(state)
  const outputs = await openOutputs(options.reporter ?? [], options.output)
  screen.err.write(`${lines.join('\n')}\n`)
  if (!options.yes) await confirm(screen)
  return await withStopSignal(async (signal) => {
    const startedAt = new Date().toISOString()
    const began = performance.now()
    const trials = await doRounds(request, plan, { ...settingsOf(options), state, service, signal }, screen)
    const result = resultOf(
      {
        plan,
        title: FAULTS[fault].title,
        service: service.description,
        tool: toolPackage(),
        startedAt,
        durationMs: Math.round(performance.now() - began),
        gate: options.gate,
        complete: trials.length === options.rounds && !signal.aborted,
        again: again(),
      },
      trials,
    )
    await outputs.write(result, screen)
    if (signal.aborted) return ExitCode.interrupted
    return judgeGate(result).met ? ExitCode.gateMet : ExitCode.gateMissed
  })
}

function describe(plan: DrillPlan, service: Service, options: DrillOptions, state: string): string[] {
  const fault = FAULTS[plan.fault]
  return planLines({
    plan,
    title: fault.title,
    foresight: fault.foresee(plan),
    service: service.description,
    users: plan.place === undefined ? [] : usersOf(plan.place.path),
    journal: activeDirectory(state),
    probes: (options.probe ?? []).map((text) => probeOf(text).name),
    rounds: options.rounds,
  })
}

type RoundOptions = Omit<RoundSettings, 'plan' | 'round' | 'say' | 'onSample'> & { readonly rounds: number }

function settingsOf(options: DrillOptions): Omit<RoundOptions, 'state' | 'service' | 'signal'> {
  const { abortIf, maxLoad, minFreeElsewhere, expectDuring: during, expectError: says } = options
  return {
    rounds: options.rounds,
    probes: (options.probe ?? []).map((text) => {
      const probe = probeOf(text)
      return { probe, name: probe.name, during, ...(says === undefined ? {} : { says }) }
    }),
    limits: {
      ...(abortIf === undefined ? {} : { abortIf: probeOf(abortIf) }),
      ...(maxLoad === undefined ? {} : { maxLoad }),
      ...(minFreeElsewhere === undefined ? {} : { minFreeElsewhere }),
    },
    steady: options.steady,
    everyMs: options.every,
    probeTimeoutMs: options.probeTimeout,
    recoverMs: options.recover,
  }
}

/** Each round has a plan of its own; the first is the one that was confirmed. A round that ended early is the last. */
async function doRounds(
  request: DrillRequest,
  confirmed: DrillPlan,
  { rounds, ...settings }: RoundOptions,
  { err }: Screen,
): Promise<TrialResult[]> {
  const trials: TrialResult[] = []
  const { chalk } = err
  for (let round = 0; round < rounds && !settings.signal.aborted; round += 1) {
    const plan = round === 0 ? confirmed : makePlan(request)
    const mark = rounds === 1 ? '' : `round ${round + 1}: `
    try {
      const record = await runRound({
        ...settings,
        plan,
        round,
        say: (line) => err.write(`${chalk.dim(`${mark}${line}`)}\n`),
        onSample: (sample) => showSample(sample, settings.probes, err),
      })
      for (const line of timelineLines(record)) err.write(`${line}\n`)
      trials.push(trialOf(record, again()))
      if (record.aborted !== undefined) break
    } catch (error) {
      // before the first fault there is nothing to report
      if (round === 0 || !(error instanceof RefusedError)) throw error
      const reason = `not done: ${error.message}`
      const trial = {
        scenario: trials[0]!.scenario,
        seed: plan.id,
        index: round,
        durationMs: 0,
        replay: again(),
      }
      trials.push({ ...trial, verdict: 'inconclusive', reason })
      break
    }
    await sleep(0)
  }
  return trials
}

/** A failure is said when it happens. */
function showSample(
  { probe, phase, error }: Sample,
  probes: RoundOptions['probes'],
  err: Screen['err'],
): void {
  if (error !== undefined && phase !== 'before')
    err.write(`  ${phase}: ${briefly(probes[probe]!.name)} fails: ${oneLine(error)}\n`)
}

async function confirm({ err }: Screen): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new UsageError('a drill asks before it begins, and there is no terminal to ask on', {
      hint: 'look at it with --dry-run, then give --yes',
    })
  }
  const asked = createInterface({ input: process.stdin, output: err.stream })
  try {
    const answer = await asked.question("Type 'yes' to begin: ")
    if (answer.trim() !== 'yes') throw new RefusedError('not confirmed; nothing was touched')
  } finally {
    asked.close()
  }
}

/** The command that does it again. */
function again(): string {
  return `npx lightning-chaos ${quoteCommandLine(process.argv.slice(2))}`
}
