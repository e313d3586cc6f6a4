import type { Event } from '../history/events.js'

/** Events are sent many at a time: a line for each would cost more than the operation that it tells of. */
export class EventBatch {
  readonly #send: (events: readonly Event[]) => void
  #events: Event[] = []

  constructor(send: (events: readonly Event[]) => void) {
    this.#send = send
  }

  add(event: Event): void {
    if (this.#events.push(event) === 1) setImmediate(() => this.flush())
  }

  flush(): void {
    if (this.#events.length > 0) this.#send(this.#events.splice(0))
  }
}
