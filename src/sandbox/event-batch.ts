import type { Event } from '../history/events.js'

/** Events are sent many at a time: a line for each would cost more than the operation that it tells of. */
const MOST_EVENTS = 256
/** Longest that an event waits for others, in milliseconds: what a killed sandbox can leave untold. */
const LONGEST_WAIT = 20

export class EventBatch {
  readonly #send: (events: readonly Event[]) => void
  #events: Event[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(send: (events: readonly Event[]) => void) {
    this.#send = send
  }

  add(event: Event): void {
    if (this.#events.push(event) >= MOST_EVENTS) this.flush()
    else this.#timer ??= setTimeout(() => this.flush(), LONGEST_WAIT)
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#events.length > 0) this.#send(this.#events.splice(0))
  }
}
