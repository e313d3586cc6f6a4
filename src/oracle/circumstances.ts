import type { Event } from '../history/events.js'
import type { OpenMode } from '../target/protocol.js'
import { restartInWords } from './words.js'

export type Fault = Extract<Event, { type: 'fault' }>

/** Healed faults that are remembered, for operations that began before the heal and ended after it. */
const HEALED_KEPT = 32

/** What the target is up against: which faults are on, whether it is being given time to recover, how often it started. */
export class Circumstances {
  readonly #active = new Map<string, Fault>()
  #healed: { readonly fault: Fault; readonly at: number }[] = []
  readonly #unresumed = new Map<string, Fault>()
  #recovering = false
  #recoveredAt = -1
  #openAtHeal = false
  #mode: OpenMode | undefined
  #starts = 0
  #session = 0
  #isDamaged = false
  #isForgetful = false

  /** Grows whenever the target's process ends or the directory is opened: what an old session left undone stays undone. */
  get session(): number {
    return this.#session
  }

  /** How the directory is open; undefined where it is not. */
  get mode(): OpenMode | undefined {
    return this.#mode
  }

  /** Whether a fault has changed what was written: from then on anything may come of it. */
  get isDamaged(): boolean {
    return this.#isDamaged
  }

  /** Whether the kernel may have given up what it could not write, and a later sync have said that all is well. */
  get isForgetful(): boolean {
    return this.#isForgetful
  }

  /** Faults that were healed and after which writes are not yet known to be back. */
  get unresumed(): readonly Fault[] {
    return [...this.#unresumed.values()]
  }

  /** Whether the directory was open when the last fault was healed, so that writes could have come back by themselves. */
  get openAtHeal(): boolean {
    return this.#openAtHeal
  }

  /** Faults that were on at some moment from event `at` until now. */
  faultsSince(at: number): readonly Fault[] {
    const healed = this.#healed.filter((each) => each.at > at).map((each) => each.fault)
    return [...this.#active.values(), ...healed]
  }

  /** Whether some moment from event `at` until now was between a heal and the answer whether writes came back. */
  recoveringSince(at: number): boolean {
    return this.#recovering || this.#recoveredAt > at
  }

  observe(event: Event, at: number): void {
    switch (event.type) {
      case 'fault':
        if (event.action === 'inject') this.#inject(event, at)
        else this.#heal(event, at)
        break
      case 'resume':
        // After 'never' the failure is known; what it leads to until the next fault is not reported again.
        if (event.how === 'never') break
        this.#unresumed.clear()
        this.#endRecovery(at)
        break
      case 'process':
        this.#session += 1
        this.#mode = undefined
        if (event.action === 'start') this.#starts += 1
        break
      case 'open':
        this.#session += 1
        this.#mode = event.ok ? event.mode : undefined
        break
      case 'close':
        this.#mode = undefined
    }
  }

  /** In words, for the middle of a sentence: 'after the second restart, while ballast is on'. */
  inWords(): string {
    const restart = this.#starts > 1 ? [`after ${restartInWords(this.#starts - 1)}`] : []
    const fault =
      this.#active.size > 0
        ? [`while ${[...this.#active.keys()].join(' and ')} is on`]
        : restart.length === 0
          ? [this.#healed.length > 0 ? 'after the heal' : 'before any fault']
          : []
    return [...restart, ...fault].join(', ')
  }

  #inject(fault: Fault, at: number): void {
    this.#active.set(fault.fault, fault)
    if (fault.damages) this.#isDamaged = true
    if (fault.forgets) this.#isForgetful = true
    this.#endRecovery(at)
  }

  #heal(fault: Fault, at: number): void {
    this.#active.delete(fault.fault)
    this.#healed = [...this.#healed, { fault, at }].slice(-HEALED_KEPT)
    this.#unresumed.set(fault.fault, fault)
    this.#recovering = true
    this.#openAtHeal = this.#mode !== undefined
  }

  #endRecovery(at: number): void {
    if (this.#recovering) this.#recoveredAt = at
    this.#recovering = false
  }
}
