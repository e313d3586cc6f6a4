/** `drill FAULT` and `drill run FILE`: plans, checks, asks, does the rounds, and reports. */
import { createInterface } from 'node:readline/promises'
import { audit } from '../../drill/audit.js'
import { RefusedError } from '../../drill/errors.js'
import { FAULTS } from '../../drill/faults/index.js'
import { checkNoneActive, checkPlace, checkProduction } from '../../drill/guard.js'
import { findPlace } from '../../drill/host/place.js'
import { usersOf } from '../../drill/host/processes.js'
import { activeDirectory, openState, stateDirectory } from '../../drill/journal.js'
import { makePlan } from '../../drill/make-plan.js'
import type { DrillPlan } from '../../drill/plan.js'
import { probeOf } from '../../drill/probe/index.js'
import { withoutPassword } from '../../drill/probe/url.js'
import type { Sample } from '../../drill/record.js'
import { resultOf, trialOf } from '../../drill/result.js'
import { type RoundSettings, runRound } from '../../drill/round.js'
import { findService, type Service } from '../../drill/service.js'
import { briefly, planLines, timelineLines } from '../../drill/words.js'
import { ExitCode, HostError, UsageError } from '../../errors.js'
import { judgeGate } from '../../report/gate.js'
import type { TrialResult } from '../../report/result.js'
import { oneLine, visible } from '../../report/words.js'
import { checkFile, replaceFile } from '../../results/files.js'
import { quoteCommandLine } from '../../target/command-line.js'
import { resolveTarget } from '../../target/resolve.js'
import type { TargetSpec } from '../../target/spec.js'
import { productionMarkers } from '../config.js'
import type { ReporterChoice } from '../options.js'
import { openOutputs } from '../outputs.js'
import { toolPackage } from '../package.js'
import type { Output, Screen } from '../screen.js'
import { withStopSignal } from '../stop-signal.js'
import { type DrillSpec, drillFileText } from './spec.js'

export interface DrillOptions {
  readonly dryRun?: true
  readonly yes?: true
  readonly state?: string
  /** File to keep the drill in, instead of doing it. */
  readonly save?: string
  readonly reporter?: readonly ReporterChoice[]
  readonly output?: string
}

/** @returns the exit code */
export async function doDrill(spec: DrillSpec, options: DrillOptions, screen: Screen): Promise<ExitCode> {
  const state = stateDirectory(options.state)
  const asked = settingsOf(spec)
  if (options.save !== undefined) {
    await checkFile(options.save)
    // a probe in it may have a password
    await replaceFile(options.save, drillFileText(spec), 0o600)
    screen.err.write(`kept in ${options.save}; nothing was done\n`)
    return ExitCode.gateMet
  }
  const { fault, allowRootFilesystem } = spec
  const place = spec.path === undefined ? undefined : findPlace(spec.path)
  if (place !== undefined) checkPlace(place, { fault, state, allowRootFilesystem })
  const service = await findService(spec, place)
  const attach = await attached(spec)
  const plan = makePlan(spec, place, service, state)
  const lines = describe(plan, service, asked, attach, state, options.dryRun ? screen.out : screen.err)
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
    const settings = { ...asked, attach, state, service, signal }
    const { trials, target } = await doRounds(spec, plan, settings, screen)
    const result = resultOf(
      {
        plan,
        title: FAULTS[fault].title,
        service: service.description,
        attach: attach && { name: target ?? attach.name, contract: attach.contract },
        tool: toolPackage(),
        startedAt,
        durationMs: Math.round(performance.now() - began),
        gate: spec.gate,
        complete: trials.length === spec.rounds && !signal.aborted && trials.every(isVerified),
        again: again(),
      },
      trials,
    )
    await outputs.write(result, screen)
    if (signal.aborted) return ExitCode.interrupted
    return judgeGate(result).met ? ExitCode.gateMet : ExitCode.gateMissed
  })
}

function describe(
  plan: DrillPlan,
  service: Service,
  { probes, rounds }: Pick<RoundOptions, 'probes' | 'rounds'>,
  attach: TargetSpec | undefined,
  state: string,
  { width }: Output,
): string[] {
  const fault = FAULTS[plan.fault]
  return planLines(
    {
      plan,
      title: fault.title,
      foresight: fault.foresee(plan),
      service: service.description,
      users: plan.place === undefined ? [] : usersOf(plan.place.path),
      journal: activeDirectory(state),
      probes: probes.map(({ probe }) => probe.name),
      attach: attach?.name,
      rounds,
    },
    width,
  )
}

async function attached({ fault, path, attach }: DrillSpec): Promise<TargetSpec | undefined> {
  if (attach === undefined) return undefined
  // a slow disk is slow for the processes of the service alone, and a volume is there for them alone
  if (path === undefined || fault === 'slow' || fault === 'quota-volume') {
    throw new UsageError(`a workload is attached to a directory, and ${fault} is about processes`)
  }
  const { target, targetCmd } = attach
  return await resolveTarget({
    ...(target === undefined ? {} : { target }),
    ...(targetCmd === undefined ? {} : { targetCmd }),
  })
}

type RoundOptions = Omit<RoundSettings, 'plan' | 'round' | 'say' | 'onSample'> & { readonly rounds: number }

function settingsOf(spec: DrillSpec): Omit<RoundOptions, 'attach' | 'state' | 'service' | 'signal'> {
  const { rounds, steady, everyMs, probeTimeoutMs, recoverMs, abortIf, maxLoad, minFreeElsewhere } = spec
  return {
    ...{ rounds, steady, everyMs, probeTimeoutMs, recoverMs },
    probes: spec.probes.map(({ ask, name, during, says }) => {
      const probe = probeOf(ask)
      return { probe, name: name ?? probe.name, during, ...(says === undefined ? {} : { says }) }
    }),
    limits: {
      ...(abortIf === undefined ? {} : { abortIf: probeOf(abortIf, '--abort-if') }),
      ...(maxLoad === undefined ? {} : { maxLoad }),
      ...(minFreeElsewhere === undefined ? {} : { minFreeElsewhere }),
    },
  }
}

interface Rounds {
  readonly trials: TrialResult[]
  /** What the target of an attached workload calls itself. */
  readonly target: string | undefined
}

/**
 * Each round has a plan of its own, with the processes that the service has by then; the first is the one that was
 * confirmed. A round that ended early is the last, and so is one after which it is not sure that all is undone.
 */
async function doRounds(
  spec: DrillSpec,
  confirmed: DrillPlan,
  { rounds, ...settings }: RoundOptions,
  { err }: Screen,
): Promise<Rounds> {
  const trials: TrialResult[] = []
  let target: string | undefined
  const { chalk } = err
  for (let round = 0; round < rounds && !settings.signal.aborted; round += 1) {
    const mark = rounds === 1 ? '' : `round ${round + 1}: `
    let plan = confirmed
    try {
      const service = round === 0 ? settings.service : await findAgain(spec, confirmed)
      if (round > 0) {
        plan = makePlan(spec, confirmed.place, service, settings.state)
        await checkAgain(plan, spec, settings.state)
      }
      const record = await runRound({
        ...settings,
        service,
        plan,
        round,
        say: (line) => err.write(`${chalk.dim(visible(`${mark}${line}`))}\n`),
        onSample: showChanges(settings.probes, err),
      })
      for (const line of timelineLines(record)) err.write(`${line}\n`)
      const trial = trialOf(record, again())
      const event = isVerified(trial) ? 'verified' : 'not-verified'
      const unlogged = audit(settings.state, plan, event, trial.reason ?? trial.verdict)
      if (unlogged !== undefined) err.write(`the audit log does not have it: ${visible(unlogged)}\n`)
      trials.push(trial)
      target ??= record.workload?.target
      if (record.aborted !== undefined || !isVerified(trial)) break
    } catch (error) {
      // what was done so far is reported; before the first fault there is nothing to report
      if (round > 0 && settings.signal.aborted) break
      const isRefusal = [RefusedError, HostError, UsageError].some((each) => error instanceof each)
      if (round === 0 || !isRefusal) throw error
      const reason = `not done: ${(error as Error).message}`
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
  }
  return { trials, target }
}

function isVerified({ verdict }: TrialResult): boolean {
  return verdict !== 'error'
}

/** @throws RefusedError where the number that was named is another process's by now */
async function findAgain(spec: DrillSpec, { place, processes }: DrillPlan): Promise<Service> {
  const service = await findService(spec, place)
  if (spec.pid !== undefined && service.processes[0]!.start !== processes[0]!.start) {
    throw new RefusedError(`${spec.pid} is another process by now: ${service.processes[0]!.name}`, {
      hint: 'a service that is started again within a drill has a unit: --service UNIT',
    })
  }
  return service
}

/** What held when the first round was confirmed may not hold any more. @throws RefusedError, HostError */
async function checkAgain(
  plan: DrillPlan,
  { fault, allowRootFilesystem }: DrillSpec,
  state: string,
): Promise<void> {
  checkProduction(await productionMarkers())
  if (plan.place !== undefined) checkPlace(plan.place, { fault, state, allowRootFilesystem })
  FAULTS[fault].foresee(plan)
}

/** Says of each probe when it begins to fail, or fails in another way, and when it passes again. */
function showChanges(probes: RoundOptions['probes'], err: Screen['err']): (sample: Sample) => void {
  const last = new Map<number, string | undefined>()
  return ({ probe, error }) => {
    if (last.get(probe) === error) return
    last.set(probe, error)
    const how = error === undefined ? 'passes again' : `fails: ${oneLine(error)}`
    err.write(`  ${briefly(probes[probe]!.name)} ${how}\n`)
  }
}

async function confirm({ err }: Screen): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new UsageError('a drill asks before it begins, and there is no terminal to ask on', {
      hint: 'look at it with --dry-run, then give --yes',
    })
  }
  const asked = createInterface({ input: process.stdin, output: err.stream })
  try {
    const gone = new Promise<string>((resolve) =>
      asked.on('close', () => resolve('')).on('SIGINT', () => resolve('')),
    )
    const answer = await Promise.race([asked.question("Type 'yes' to begin: "), gone])
    if (answer.trim() !== 'yes') throw new RefusedError('not confirmed; nothing was touched')
  } finally {
    asked.close()
  }
}

/** The command that does it again, and does not write over the reports of what it repeats. */
function again(): string {
  return `npx lightning-chaos ${quoteCommandLine(withoutReports(process.argv.slice(2)).map(withoutPassword))}`
}

function withoutReports(args: readonly string[]): string[] {
  const isOne = (arg: string | undefined) => /^--(reporter|output)(=|$)/.test(arg ?? '')
  const isValue = (i: number) => /^--(reporter|output)$/.test(args[i - 1] ?? '')
  return args.filter((arg, i) => !isOne(arg) && !isValue(i))
}
