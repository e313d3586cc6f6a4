import { performance } from 'node:perf_hooks'
import type { Event } from '../history/events.js'

/** An event without its time, which the recorder adds. */
export type Untimed = Event extends infer E ? (E extends Event ? Omit<E, 'time'> : never) : never

/** Writes the history down: gives each event its time and hands it on, in order. */
export class Recorder {
  readonly #emit: (event: Event) => void
  readonly #start = performance.now()

  constructor(emit: (event: Event) => void) {
    this.#emit = emit
  }

  /** Milliseconds since the trial began, to a tenth. */
  get elapsed(): number {
    return Math.round((performance.now() - this.#start) * 10) / 10
  }

  record(event: Untimed): void {
    this.#emit({ ...event, time: this.elapsed } as Event)
  }
}
