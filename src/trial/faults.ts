/** The faults that are on in a trial, and the evidence for them. */

import { InternalError } from '../errors.js'
import type { ErrorTrace } from '../evidence/kernel-trace.js'
import type { ActiveFault, FaultKind, FaultWorld, Parameters } from '../fault/fault.js'
import { FAULTS } from '../fault/index.js'
import type { Recorder } from './recorder.js'

interface On {
  readonly kind: FaultKind
  readonly active: ActiveFault
}

export class Faults {
  readonly #recorder: Recorder
  readonly #trace: ErrorTrace | undefined
  readonly #onChange: () => Promise<void>
  #on: On[] = []
  #acted = 0

  /** @param onChange called when a fault has just been injected or healed */
  constructor(recorder: Recorder, trace: ErrorTrace | undefined, onChange: () => Promise<void>) {
    this.#recorder = recorder
    this.#trace = trace
    this.#onChange = onChange
  }

  get any(): boolean {
    return this.#on.length > 0
  }

  /** What the fault that was injected first does to the target. */
  get family() {
    return this.#on[0]?.kind.family
  }

  /** How often the faults that see that themselves acted, of those that were healed since this was asked last. */
  takeActed(): number {
    const acted = this.#acted
    this.#acted = 0
    return acted
  }

  async inject(name: string, parameters: Parameters, world: FaultWorld): Promise<void> {
    const kind = FAULTS.find((fault) => fault.kind === name)
    if (kind === undefined) throw new InternalError(`there is no fault '${name}'`)
    // armed first: the target may run into the fault while it is still being injected
    const watched = [kind, ...this.#on.map((on) => on.kind)].filter(({ seesItself }) => !seesItself)
    if (watched.length > 0) await this.#trace?.arm([...new Set(watched.flatMap(({ errnos }) => errnos))])
    const active = await kind.inject(world, parameters)
    this.#on.push({ kind, active })
    this.#record('inject', { kind, active }, active.detail)
    await this.#onChange()
    await this.#probe()
  }

  async heal(): Promise<void> {
    await this.#probe()
    await this.#readTrace()
    for (const on of this.#on) await this.#readOwn(on)
    for (const on of this.#on.reverse()) {
      this.#record('heal', on, await on.active.heal())
      await this.#onChange()
    }
    this.#on = []
  }

  #record(action: 'inject' | 'heal', { kind, active }: On, detail: string): void {
    const { kind: fault, family, refusals, damages } = kind
    const { blocks, stopsReads, forgets, errnos = kind.errnos } = active
    this.#recorder.record({
      type: 'fault',
      action,
      fault,
      family,
      refusals,
      errnos,
      ...(blocks === undefined ? {} : { blocks }),
      ...(stopsReads ? { stopsReads } : {}),
      ...(damages ? { damages } : {}),
      ...(forgets ? { forgets } : {}),
      detail,
    })
  }

  async #probe(): Promise<void> {
    for (const { active } of this.#on) {
      const result = await active.probe()
      if (result !== undefined)
        this.#recorder.record({ type: 'evidence', grade: 'probe', count: 1, ...result })
    }
  }

  async #readTrace(): Promise<void> {
    if (this.#trace === undefined || this.#on.every(({ kind }) => kind.seesItself)) return
    for (const [errno, count] of await this.#trace.disarm()) {
      const detail = `${count} system calls of the target failed with ${errno} (${this.#trace.name})`
      this.#recorder.record({ type: 'evidence', grade: 'direct', errno, count, detail })
    }
  }

  async #readOwn({ kind, active }: On): Promise<void> {
    for (const [errno, count] of (await active.seen?.()) ?? []) {
      // a power cut is no operation that another round could leave untouched
      if ('first' in kind.parameters) this.#acted += count
      const detail = `${kind.kind} acted on ${count} operations of the target (glass)`
      this.#recorder.record({ type: 'evidence', grade: 'direct', errno, count, detail })
    }
  }
}
