/** One round of a drill, from top to bottom. It judges nothing. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TargetSpec } from '../target/spec.js'
import { RefusedError, UndoError } from './errors.js'
import type { Fault, Observation } from './faults/fault.js'
import { FAULTS } from './faults/index.js'
import { type Limits, reasonToEnd } from './guard.js'
import { processState } from './host/processes.js'
import { type Keeper, startWatchdog } from './keeper.js'
import { TIME_IS_UP } from './messages.js'
import type { DrillPlan } from './plan.js'
import type { Probe } from './probe/probe.js'
import type { Expectation, Phase, RoundRecord, Sample } from './record.js'
import type { Service } from './service.js'
import { BLOCKED, ENDED, type Testimony, Witness } from './testimony.js'
import { AttachedWorkload } from './workload.js'
import { makeWorkloadDirectory, removeWorkloadDirectory } from './workload-directory.js'

/** How long a call of the witness may take before it counts as blocked, where that is what the fault does. */
const BLOCKED_MS = 2000
/** Where nothing is to be proved by a call that does not come back. */
const WITNESS_PATIENCE_MS = 30_000
/** From one look at what ends a drill early to the next, however seldom the probes are asked. */
const GUARD_MS = 1000
/** How often the probes are asked at least within the time that they have to pass again. */
const LEAST_QUESTIONS = 10

interface DrilledProbe extends Expectation {
  readonly probe: Probe
}

export interface RoundSettings {
  readonly plan: DrillPlan
  readonly round: number
  readonly state: string
  readonly service: Service
  readonly probes: readonly DrilledProbe[]
  readonly limits: Limits
  /** Whose acked writes are proved, beside what the probes see. */
  readonly attach?: TargetSpec | undefined
  /** How often each probe has to pass in a row before anything is touched. */
  readonly steady: number
  /** Milliseconds, all three: from one question to the next, for one answer, and until all is well again. */
  readonly everyMs: number
  readonly probeTimeoutMs: number
  readonly recoverMs: number
  /** Aborted where the user wants it to end. */
  readonly signal: AbortSignal
  say(line: string): void
  onSample(sample: Sample): void
}

/**
 * @throws RefusedError where nothing was touched, or everything was undone before the fault was on; UndoError where
 *   something could not be undone
 */
export async function runRound(settings: RoundSettings): Promise<RoundRecord> {
  const { plan, state, signal, say, recoverMs } = settings
  const began = performance.now()
  const elapsed = () => Math.round(performance.now() - began)
  const fault = FAULTS[plan.fault]
  const observe = (): Observation | undefined => fault.observe?.(plan)
  const asker = new Asker(settings, began)
  const witness = startWitness(settings)
  let attached: AttachedWorkload | undefined
  let failure: unknown
  try {
    // with the patience that it will have: what takes as long anyway shows nothing
    const before = (await witness?.testify(patienceWith(plan, fault))) ?? []
    checkWitness(before, plan)
    const observedBefore = observe()
    await checkLimits(settings)
    await asker.steady()
    signal.throwIfAborted()
    attached = await attach(settings, fault)

    attached?.faulted()
    const keeper = startWatchdog(fault.takesWitness && witness ? withProcess(plan, witness.pid) : plan, state)
    const onAbort = () => keeper.undo()
    signal.addEventListener('abort', onAbort)
    const over = new AbortController()
    void keeper.undoing.then(() => over.abort())
    const guarding = guard(settings, keeper, over.signal)
    try {
      const injected = await keeper.injected
      const from = elapsed()
      say(`the fault is on: ${injected}`)
      const during = (await witness?.testify(patienceWith(plan, fault))) ?? []
      const observedDuring = observe()
      attached?.restart()
      await asker.until(over.signal)
      say(`undoing: ${await keeper.undoing}`)
      const ending = await keeper.undone
      const to = elapsed()
      attached?.healed(ending.detail, seenIn(during, observedDuring, fault))
      let aborted = await guarding
      for (const each of ending.left) say(`left as it is: ${each}`)
      const after = (await witness?.testify(WITNESS_PATIENCE_MS)) ?? []
      const observedAfter = fault.lasts ? undefined : observe()
      say(`undone: ${ending.detail}`)
      if (signal.aborted) aborted ??= 'stopped by the user'
      if (ending.why !== TIME_IS_UP) aborted ??= ending.why
      const recovering = await asker.recovered()
      const workload = await attached?.end(recoverMs)
      return {
        plan,
        round: settings.round,
        errnos: fault.errnos,
        expectations: settings.probes,
        recoverMs,
        durationMs: elapsed(),
        injected,
        faulted: { from, to },
        recovering,
        ending,
        ...(aborted === undefined ? {} : { aborted }),
        before,
        during,
        after,
        observed: { before: observedBefore, during: observedDuring, after: observedAfter },
        samples: asker.samples,
        ...(workload === undefined ? {} : { workload }),
      }
    } catch (error) {
      keeper.undo()
      // nothing goes on before the host is as it was; and that it cannot be is worse than whatever went wrong here
      await keeper.undone
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  } catch (error) {
    failure = error
    throw error
  } finally {
    witness?.close()
    await attached?.kill()
    if (attached !== undefined) {
      await removeWorkloadDirectory(state).catch((error: unknown) => {
        // only what is still broken is worse than what is left over
        if (failure instanceof UndoError) throw failure
        if (failure instanceof Error) say(failure.message)
        throw error
      })
    }
  }
}

async function attach(settings: RoundSettings, fault: Fault): Promise<AttachedWorkload | undefined> {
  const { plan, state, attach: target, service } = settings
  if (target === undefined) return undefined
  const { credentials } = service
  const directory = await makeWorkloadDirectory(state, plan, credentials)
  const attached = new AttachedWorkload({ plan, fault, target, credentials, directory })
  try {
    await attached.begin()
    return attached
  } catch (error) {
    await attached.kill()
    await removeWorkloadDirectory(state)
    throw error
  }
}

/** The errors and signs that prove the fault, each by how often it was seen. */
function seenIn(
  during: readonly Testimony[],
  observed: Observation | undefined,
  { errnos }: Fault,
): Record<string, number> {
  const seen = [...during.map(({ errno }) => errno), observed?.sign].filter(
    (sign) => sign !== null && sign !== undefined && errnos.includes(sign),
  ) as string[]
  return Object.fromEntries(
    [...new Set(seen)].map((sign) => [sign, seen.filter((each) => each === sign).length]),
  )
}

/** @throws RefusedError where the limits would end the drill at once */
async function checkLimits({ plan, state, limits, probeTimeoutMs }: RoundSettings): Promise<void> {
  const reason = await reasonToEnd(limits, { place: plan.place, state }, probeTimeoutMs)
  if (reason !== undefined) throw new RefusedError(`${reason}, before the drill already`)
}

/** Ends a drill before its time where its limits say so. @returns why, in words; undefined where they did not */
async function guard(
  { plan, state, limits, probeTimeoutMs, say }: RoundSettings,
  keeper: Keeper,
  over: AbortSignal,
): Promise<string | undefined> {
  for (; !over.aborted; await rest(GUARD_MS, over)) {
    const reason = await reasonToEnd(limits, { place: plan.place, state }, probeTimeoutMs).catch(
      (error: Error) => `the limits cannot be looked at: ${error.message}`,
    )
    if (reason !== undefined && !over.aborted) {
      say(`ended early: ${reason}`)
      keeper.undo()
      return reason
    }
  }
  return undefined
}

/** Waits, at most until something is over. */
async function rest(milliseconds: number, over: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal: over }).catch(() => {}) // whoever waits looks at it
}

function patienceWith({ forMs }: DrillPlan, { errnos }: Fault): number {
  return errnos.includes(BLOCKED) ? Math.min(BLOCKED_MS, forMs / 2) : WITNESS_PATIENCE_MS
}

function startWitness({ plan, service }: RoundSettings): Witness | undefined {
  if (plan.place === undefined) return undefined
  return new Witness(service.credentials, plan.place.path, {
    bytes: bytesThatMeet(plan),
    inodes: plan.fault === 'inodes' ? plan.leave : 0,
  })
}

/** How many bytes can be written, so that a few more meet the fault. */
function bytesThatMeet({ fault, leave, rate }: DrillPlan): number {
  if (fault === 'diskfull') return leave
  return rate === undefined ? 0 : (rate.bytesPerSecond * BLOCKED_MS * 1.5) / 1000
}

function withProcess(plan: DrillPlan, pid: number): DrillPlan {
  const { start, name } = processState(pid)!
  return { ...plan, processes: [...plan.processes, { pid, start, name }] }
}

/** What does not work before the fault cannot show it. */
function checkWitness(before: readonly Testimony[], { fault }: DrillPlan): void {
  const shows = ({ what }: Testimony) => what === 'write' || fault === 'permissions'
  if (before.length === 0 || before.some((each) => each.errno === null && shows(each))) return
  const [{ tried, errno }] = before as [Testimony]
  if (errno === ENDED)
    throw new RefusedError('the witness, a process with the rights of the service, does not answer')
  throw new RefusedError(
    `the service could not write there before the drill: ${tried} failed with ${errno}`,
    {
      hint: HINTS[errno!] ?? 'name whose rights it has: --user NAME, --pid N or --service UNIT',
    },
  )
}

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'that much has to be free there: make room, or leave less (--leave)',
  [BLOCKED]: 'a disk that takes as long by itself shows nothing: try it when there is less to do on it',
}

/** Asks every probe, again and again. */
class Asker {
  readonly samples: Sample[] = []
  readonly #settings: RoundSettings
  readonly #began: number

  constructor(settings: RoundSettings, began: number) {
    this.#settings = settings
    this.#began = began
  }

  /** @throws RefusedError where a probe fails */
  async steady(): Promise<void> {
    const { steady, everyMs, signal, probes } = this.#settings
    if (probes.length === 0) return
    for (let pass = 0; pass < steady; pass += 1) {
      if (pass > 0) await rest(everyMs, signal)
      signal.throwIfAborted()
      const failed = (await this.#ask(() => 'before')).find(({ error }) => error !== undefined)
      if (failed !== undefined) {
        throw new RefusedError(`'${probes[failed.probe]!.name}' fails before the drill: ${failed.error}`, {
          hint: 'a service that does not work is not drilled; nothing was touched',
        })
      }
    }
  }

  /** Asks until something happens. What is answered after that was asked on the edge. */
  async until(over: AbortSignal): Promise<void> {
    for (; !over.aborted; await rest(this.#settings.everyMs, over)) {
      await this.#ask(() => (over.aborted ? 'edge' : 'during'))
    }
  }

  /** Asks until every probe passes, or for as long as that may take; once, where the user wants it to end. */
  async recovered(): Promise<RoundRecord['recovering']> {
    const { recoverMs, everyMs, signal } = this.#settings
    const elapsed = () => Math.round(performance.now() - this.#began)
    const from = elapsed()
    for (; ; await rest(Math.min(everyMs, recoverMs / LEAST_QUESTIONS), signal)) {
      const samples = await this.#ask(() => 'after')
      const isWell = samples.every(({ error }) => error === undefined)
      if (isWell || signal.aborted || elapsed() - from >= recoverMs) return { from, to: elapsed() }
    }
  }

  async #ask(phase: () => Phase): Promise<readonly Sample[]> {
    return await Promise.all(
      this.#settings.probes.map(async ({ probe }, index) => {
        const asked = performance.now()
        const error = await probe.ask(this.#settings.probeTimeoutMs)
        const sample: Sample = {
          probe: index,
          phase: phase(),
          at: Math.round(asked - this.#began),
          latencyMs: Math.round((performance.now() - asked) * 10) / 10,
          ...(error === undefined ? {} : { error }),
        }
        this.samples.push(sample)
        this.#settings.onSample(sample)
        return sample
      }),
    )
  }
}
