/**
 * The ordinary workload and the oracle beside a drill: a target of its own, in a directory of its own on the file system
 * that is broken, with the rights of the service. So a drill also proves that no acked write was lost.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Event, FaultFamily } from '../history/events.js'
import { Judge } from '../oracle/judge.js'
import type { Judgement } from '../report/result.js'
import type { ErrorKind } from '../target/protocol.js'
import type { TargetSpec } from '../target/spec.js'
import { Driver } from '../trial/driver.js'
import { Recorder } from '../trial/recorder.js'
import { Recovery } from '../trial/recovery.js'
import { Session } from '../trial/session.js'
import type { WorkloadSpec } from '../workload/spec.js'
import { createWorkload } from '../workload/workload.js'
import type { Fault } from './faults/fault.js'
import { FAMILIES } from './history.js'
import type { Credentials } from './host/processes.js'
import type { DrillPlan } from './plan.js'
import { isInPlace, type WorkloadDirectory } from './workload-directory.js'

/** What a target may say of a write that such a fault refuses. */
const REFUSALS: Readonly<Record<FaultFamily, readonly ErrorKind[]>> = {
  full: ['disk-full', 'quota'],
  'read-only': ['permission', 'read-only'],
  io: ['io', 'read-only'],
  errorless: [],
}

/** Small, and slow: it proves something, and is no load. */
const WORKLOAD: WorkloadSpec = {
  keys: 48,
  clients: 4,
  depth: 2,
  sizes: { largest: 4096 },
  mix: { put: 50, delete: 8, batch: 6, get: 30, scan: 6 },
}
/** Operations from one pause to the next, and how long that is, in milliseconds. */
const OPERATIONS = 16
const PAUSE_MS = 50
/** Operations before anything is touched. */
const HEALTHY = 100
/** How long an answer may take, beyond what the fault holds it up, in milliseconds. */
const ANSWER_MS = 30_000

export interface WorkloadOptions {
  readonly plan: DrillPlan
  readonly fault: Fault
  readonly target: TargetSpec
  readonly credentials: Credentials
  readonly directory: WorkloadDirectory
}

/** What came of it. */
export interface WorkloadRecord {
  /** Name and version of the target. */
  readonly target: string
  readonly judgement: Judgement
  readonly history: readonly Event[]
}

export class AttachedWorkload {
  readonly #plan: DrillPlan
  readonly #fault: Fault
  readonly #directory: WorkloadDirectory
  readonly #judge: Judge
  readonly #history: Event[] = []
  readonly #recorder: Recorder
  readonly #driver: Driver
  readonly #session: Session
  readonly #recovery: Recovery
  #isOver = false
  #wantsRestart = false
  #work: Promise<void> = Promise.resolve()

  constructor({ plan, fault, target, credentials, directory }: WorkloadOptions) {
    this.#plan = plan
    this.#fault = fault
    this.#directory = directory
    this.#judge = new Judge({ seed: plan.id, contract: target.contract })
    this.#recorder = new Recorder((event) => {
      this.#history.push(event)
      this.#judge.observe(event)
    })
    const workload = createWorkload(plan.id, WORKLOAD)
    this.#driver = new Driver(plan.id, WORKLOAD, workload, this.#recorder)
    this.#session = new Session({
      command: asService(
        credentials,
        target.command.map((word) => word.replaceAll('{dir}', directory.path)),
      ),
      environment: { ...ownEnvironment(), ...target.environment },
      cwd: '/',
      data: directory.path,
      answerMs: ANSWER_MS + plan.forMs,
      recorder: this.#recorder,
      onProcess: async () => {},
      killStrays: async () => {},
    })
    this.#recovery = new Recovery({
      ...{ session: this.#session, driver: this.#driver, workload, recorder: this.#recorder },
      sizes: WORKLOAD.sizes,
    })
  }

  /** Starts the target, sees that it works, and goes on working beside. @throws ChaosError where it does not start */
  async begin(): Promise<void> {
    await this.#session.start()
    await this.#run(HEALTHY)
    this.#work = this.#goOn()
  }

  /** Before the fault is injected: the target may run into it before anybody hears that it is on. */
  faulted(): void {
    this.#record('inject', 'the fault of the drill')
    this.#recorder.record({ type: 'phase', phase: 'faulted' })
  }

  /**
   * Has the target killed and started again while the fault is on: what has its files open may not meet it otherwise. Not
   * where everything waits: what waits for a disk cannot be killed.
   */
  restart(): void {
    this.#wantsRestart = FAMILIES[this.#plan.fault] !== 'errorless'
  }

  /** @param seen the errors that prove that the fault was there, each by how often */
  healed(detail: string, seen: Readonly<Record<string, number>>): void {
    for (const [errno, count] of Object.entries(seen)) {
      this.#recorder.record({ type: 'evidence', grade: 'probe', errno, count, detail: 'seen by the drill' })
    }
    this.#record('heal', detail)
    this.#recorder.record({ type: 'phase', phase: 'healed' })
  }

  /** Sees writes come back, reads everything, and again after a restart. */
  async end(recoverMs: number): Promise<WorkloadRecord> {
    this.#isOver = true
    await this.#work
    if (isInPlace(this.#directory)) await this.#prove(recoverMs)
    const { hello } = this.#session
    await this.#session.stop()
    const judgement = this.#judge.finish()
    return {
      target: hello === undefined ? 'a target' : `${hello.name} ${hello.version}`,
      judgement: isInPlace(this.#directory) ? judgement : takenAway(judgement),
      history: this.#history,
    }
  }

  async #prove(recoverMs: number): Promise<void> {
    if (this.#session.pid === undefined) await this.#session.start()
    await this.#recovery.resume(FAMILIES[this.#plan.fault], recoverMs)
    await this.#recovery.readBack()
    this.#recorder.record({ type: 'phase', phase: 'restarted' })
    await this.#session.kill()
    await this.#session.start()
    await this.#recovery.readBack()
  }

  /** Ends the target, whatever it is doing. */
  async kill(): Promise<void> {
    this.#isOver = true
    await this.#session.kill()
    await this.#work
  }

  async #goOn(): Promise<void> {
    while (!this.#isOver) {
      if (this.#wantsRestart) {
        this.#wantsRestart = false
        await this.#session.kill()
        if (isInPlace(this.#directory)) await this.#session.start()
      }
      await this.#run(OPERATIONS)
      await sleep(PAUSE_MS)
    }
  }

  async #run(operations: number): Promise<void> {
    const target = this.#session.open
    if (target === undefined) return
    const mix = this.#session.supported(WORKLOAD.mix)
    await this.#driver.run(target, { operations, mix, untilRefused: false })
  }

  #record(action: 'inject' | 'heal', detail: string): void {
    const { fault } = this.#plan
    const family = FAMILIES[fault]
    const { errnos } = this.#fault
    this.#recorder.record({
      type: 'fault',
      action,
      fault,
      family,
      refusals: REFUSALS[family],
      errnos,
      detail,
    })
  }
}

/** Without its directory a target proves nothing, and is not to blame. */
function takenAway({ evidence, operations }: Judgement): Judgement {
  const reason = 'somebody has taken its directory away'
  return { verdict: 'inconclusive', reason, violations: [], waived: [], evidence, operations }
}

/** What of our environment the user of the service may see, as with sudo: nothing that may be a secret. */
const SHOWN = /^(PATH|HOME|LANG|LC_\w+|TERM|TZ)$/

function ownEnvironment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => SHOWN.test(name))) as Record<
    string,
    string
  >
}

/** The target has the rights of the service, and ends with us. */
function asService({ uid, gid, groups }: Credentials, argv: readonly string[]): readonly string[] {
  const tied = ['setpriv', '--pdeathsig', 'KILL']
  if (process.geteuid?.() !== 0) return [...tied, ...argv]
  const others = groups.length === 0 ? '--clear-groups' : `--groups=${groups.join(',')}`
  const bare = ['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs']
  return [...tied, `--reuid=${uid}`, `--regid=${gid}`, others, ...bare, ...argv]
}
