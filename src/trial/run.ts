/** One trial's life, from top to bottom. Everything that happens becomes an event; nothing is judged here. */
import { GlassTrace } from '../evidence/glass-trace.js'
import type { KernelTrace } from '../evidence/kernel-trace.js'
import { type Event, type FaultFamily, RUNNER } from '../history/events.js'
import { onCpu } from '../sandbox/command.js'
import type { Identity } from '../sandbox/identity.js'
import type { World } from '../sandbox/world.js'
import { type PlannedStep, planSteps } from '../scenario/plan.js'
import type { FlatStep } from '../scenario/schema.js'
import { mountVolume } from '../volume/index.js'
import type { MountedVolume } from '../volume/volume.js'
import { random } from '../workload/random.js'
import { createWorkload, type Workload } from '../workload/workload.js'
import { Driver } from './driver.js'
import { Faults } from './faults.js'
import { killDuring } from './kill.js'
import { Recorder } from './recorder.js'
import { Recovery } from './recovery.js'
import { Session } from './session.js'
import { SpaceWatch } from './space.js'
import type { Trial } from './trial.js'

export interface TrialEnvironment {
  readonly world: World
  readonly identity: Identity
  readonly trace: KernelTrace | undefined
  emit(event: Event): void
}

/** What is left of a trial once it has run, beside its history. */
export interface Finished {
  readonly target: { readonly name: string; readonly version: string } | undefined
  readonly log: string
  /** The target's files, still there. */
  readonly data: string
  /** Of a glass volume: the file that the trace of its operations is in, complete. */
  trace?(): Promise<string>
  unmount(): Promise<void>
}

export async function runTrial(trial: Trial, environment: TrialEnvironment): Promise<Finished> {
  const { world, identity } = environment
  const volume = await mountVolume(world.isolation, trial.scenario.volume, world.place, identity)
  const steps = planSteps(trial.scenario)
  const run = new TrialRun(trial, environment, volume, steps.filter((step) => step.do === 'pad').length)
  await run.begin()
  await run.performAll(steps)
  return await run.finish()
}

/** Values of `pad` begin at this size, in bytes. */
const PAD_SIZE = 64

class TrialRun {
  readonly #trial: Trial
  readonly #volume: MountedVolume
  readonly #identity: Identity
  readonly #recorder: Recorder
  readonly #workload: Workload
  readonly #driver: Driver
  readonly #session: Session
  readonly #recovery: Recovery
  readonly #faults: Faults
  readonly #space: SpaceWatch
  /** The family of what was healed last. */
  #healed: FaultFamily | undefined

  /** How many pads a trial of this scenario writes: the next trial's sizes go on from there. */
  readonly #pads: number
  #padded = 0
  #injected = 0
  #kills = 0

  constructor(
    trial: Trial,
    { world, identity, trace, emit }: TrialEnvironment,
    volume: MountedVolume,
    pads: number,
  ) {
    this.#pads = pads
    this.#trial = trial
    this.#volume = volume
    this.#identity = identity
    const recorder = new Recorder(emit)
    this.#recorder = recorder
    const spec = trial.scenario.workload
    this.#workload = createWorkload(trial.seed, spec)
    this.#driver = new Driver(trial.seed, spec, this.#workload, recorder)
    this.#space = new SpaceWatch(volume, recorder)
    const errors = trace ?? (volume.glass && new GlassTrace(volume.glass.client))
    this.#faults = new Faults(recorder, errors, () => this.#space.look())
    const command = trial.target.command.map((word) => word.replaceAll('{dir}', volume.data))
    this.#session = new Session({
      command: [...(volume.cpu === undefined ? [] : onCpu(volume.cpu)), ...identity.wrap(command)],
      environment: { ...process.env, ...trial.target.environment } as Record<string, string>,
      cwd: process.cwd(),
      data: volume.data,
      answerMs: trial.limits.answerMs,
      recorder,
      onProcess: async (pid) => trace?.follow(pid),
      killStrays: () => world.killStrays(volume.serverPid),
    })
    this.#recovery = new Recovery({
      ...{ session: this.#session, driver: this.#driver, workload: this.#workload, recorder },
      sizes: spec.sizes,
    })
    recorder.record({ type: 'volume', detail: `${volume.kind} on ${volume.root}` })
    recorder.record({ type: 'phase', phase: 'healthy' })
  }

  begin(): Promise<void> {
    return this.#space.start()
  }

  /** A repeat that may end early does so after the first round in which no fault acted on anything. */
  async performAll(steps: readonly PlannedStep[]): Promise<void> {
    let isOver = false
    let round = 0
    for (const step of steps) {
      if (step.do === 'round') {
        const acted = this.#faults.takeActed()
        isOver ||= round > 0 && acted === 0
        round += 1
        if (!isOver) this.#recorder.record({ type: 'round', number: round })
      } else if (step.do === 'rounds-end') {
        isOver = false
        round = 0
      } else if (!isOver) {
        await this.perform(step)
      }
    }
  }

  async perform(step: FlatStep): Promise<void> {
    await this.#perform(step)
    await this.#session.settled()
  }

  async #perform(step: FlatStep): Promise<void> {
    switch (step.do) {
      case 'start':
        return this.#session.start()
      case 'stop':
        this.#recordRestart()
        return this.#session.stop()
      case 'kill':
        this.#recordRestart()
        return this.#kill(step)
      case 'reopen':
        return this.#session.reopen()
      case 'inject':
        return this.#inject(step)
      case 'heal':
        return this.#heal()
      case 'resume':
        return this.#recovery.resume(this.#healed, this.#trial.limits.resumeMs)
      case 'verify':
        return this.#recovery.readBack()
      case 'run':
        return this.#run(step)
      case 'deletes':
        return this.#delete(step.keys)
      case 'compact':
        return this.#compact()
      case 'pad':
        return this.#pad()
    }
  }

  /** @throws the volume's own failure, where it did not last: what the target did then proves nothing */
  async finish(): Promise<Finished> {
    await this.#space.stop()
    const failure = this.#volume.failure?.()
    if (failure !== undefined) throw failure
    const { hello } = this.#session
    const { glass } = this.#volume
    return {
      target: hello && { name: hello.name, version: hello.version },
      log: this.#session.log,
      data: this.#volume.data,
      ...(glass && {
        trace: async () => {
          await glass.client.flushTrace()
          return glass.trace
        },
      }),
      unmount: async () => {
        await this.#session.kill()
        await this.#volume.unmount()
      },
    }
  }

  async #inject({ do: _, fault, ...parameters }: Extract<FlatStep, { do: 'inject' }>): Promise<void> {
    await this.#space.stop()
    await this.#faults.inject(fault, parameters, {
      volume: this.#volume,
      targetPid: this.#session.pid,
      asTarget: (command) => this.#identity.wrap(command),
      seed: `${this.#trial.seed}-${this.#injected++}`,
    })
    await this.#space.start()
    this.#recorder.record({ type: 'phase', phase: 'faulted' })
  }

  async #heal(): Promise<void> {
    if (!this.#faults.any) return
    this.#healed = this.#faults.family
    await this.#space.stop()
    await this.#faults.heal()
    await this.#space.start()
    this.#recorder.record({ type: 'phase', phase: 'healed' })
  }

  #recordRestart(): void {
    if (this.#healed !== undefined) this.#recorder.record({ type: 'phase', phase: 'restarted' })
  }

  async #run({ operations, mix, until, beside }: Extract<FlatStep, { do: 'run' }>): Promise<void> {
    const target = this.#session.open
    if (target === undefined) return
    let isOver = false
    const compacting = async () => {
      for (let goesOn = beside === 'compaction' && this.#session.supports('compact'); goesOn; ) {
        const { type } = await this.#driver.perform(target, RUNNER, { f: 'compact' })
        goesOn = type === 'ok' && !isOver
      }
    }
    const running = this.#driver.run(target, {
      operations,
      mix: this.#session.supported(mix ?? this.#trial.scenario.workload.mix),
      untilRefused: until === 'refused',
    })
    await Promise.all([running.finally(() => (isOver = true)), compacting()])
  }

  #kill({ during }: Extract<FlatStep, { do: 'kill' }>): Promise<void> {
    if (during === undefined) return this.#session.kill()
    const stream = random(this.#trial.seed, 'kill', this.#kills++)
    return killDuring(during, { session: this.#session, driver: this.#driver, stream })
  }

  async #delete(keys: number): Promise<void> {
    for (const key of this.#workload.keys.slice(0, keys)) {
      const target = this.#session.open
      if (target === undefined || !this.#session.supports('delete')) return
      await this.#driver.perform(target, RUNNER, this.#workload.delete(this.#driver.takeIndex(), key))
    }
  }

  async #compact(): Promise<void> {
    const target = this.#session.open
    if (target === undefined || !this.#session.supports('compact')) return
    await this.#driver.perform(target, RUNNER, { f: 'compact' })
  }

  async #pad(): Promise<void> {
    const target = this.#session.open
    if (target === undefined) return
    const size = PAD_SIZE + this.#trial.index * this.#pads + this.#padded
    this.#padded += 1
    const key = this.#workload.keys[0]!
    await this.#driver.perform(target, RUNNER, this.#workload.put(this.#driver.takeIndex(), key, size))
  }
}
