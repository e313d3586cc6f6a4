/** What comes after a fault: writes that come back, one way or another, and everything that is read back. */
import { type FaultFamily, RUNNER } from '../history/events.js'
import type { WorkloadSpec } from '../workload/spec.js'
import type { Workload } from '../workload/workload.js'
import type { Driver } from './driver.js'
import type { Recorder } from './recorder.js'
import type { Session } from './session.js'

/** Between two attempts to write after a heal, in milliseconds. */
const RESUME_PAUSE = 20
/** How long a store is given to notice by itself that a fault that was not about room is gone, in milliseconds. */
const NOTICE_MS = 100
/** Writes in a row that have to succeed before writes count as back. */
const RESUMED_AFTER = 3
/** Bytes of the values that are written to see whether writes are back. */
const TRIED_SIZE = 64
/** Most entries, and most bytes of values, that one scan of a read-back asks for. */
const VERIFY_LIMIT = 500
const VERIFY_BYTES = 8 * 1024 * 1024

export interface RecoveryOptions {
  readonly session: Session
  readonly driver: Driver
  readonly workload: Workload
  readonly recorder: Recorder
  readonly sizes: WorkloadSpec['sizes']
}

export class Recovery {
  readonly #session: Session
  readonly #driver: Driver
  readonly #workload: Workload
  readonly #recorder: Recorder
  readonly #sizes: WorkloadSpec['sizes']

  constructor({ session, driver, workload, recorder, sizes }: RecoveryOptions) {
    this.#session = session
    this.#driver = driver
    this.#workload = workload
    this.#recorder = recorder
    this.#sizes = sizes
  }

  /**
   * Waits for writes to come back: by themselves, then with a reopen, then with a restart.
   * @param healed the family of what was healed last
   * @param resumeMs how long that may take, in milliseconds
   */
  async resume(healed: FaultFamily | undefined, resumeMs: number): Promise<void> {
    const patience = healed === 'full' || healed === undefined ? resumeMs : NOTICE_MS
    const attempts = [
      { how: 'in-place', first: async () => undefined, patience },
      { how: 'reopen', first: () => this.#session.reopen(), patience: NOTICE_MS },
      { how: 'restart', first: () => this.#restart(), patience: resumeMs },
    ] as const
    for (const { how, first, patience } of attempts) {
      await first()
      const tries = await this.#writeUntilAcked(patience)
      if (tries === undefined) continue
      this.#recorder.record({ type: 'resume', how, detail: `writes are back after ${tries} tries` })
      return
    }
    this.#recorder.record({
      type: 'resume',
      how: 'never',
      detail: `no write was acked within ${resumeMs} ms`,
    })
  }

  async #restart(): Promise<void> {
    await this.#session.kill()
    await this.#session.start()
  }

  /** @returns how many writes it took until several in a row were acked; undefined where they never were */
  async #writeUntilAcked(patience: number): Promise<number | undefined> {
    const deadline = performance.now() + patience
    for (let tries = 1, inARow = 0; ; tries += 1) {
      const target = this.#session.open
      if (target === undefined) return undefined
      const index = this.#driver.takeIndex()
      const key = this.#workload.keys[tries % this.#workload.keys.length]!
      const outcome = await this.#driver.perform(target, RUNNER, this.#workload.put(index, key, TRIED_SIZE))
      inARow = outcome.type === 'ok' ? inARow + 1 : 0
      if (inARow === RESUMED_AFTER) return tries
      if (inARow === 0) {
        if (performance.now() > deadline) return undefined
        await new Promise((resolve) => setTimeout(resolve, RESUME_PAUSE))
      }
    }
  }

  /** Reads everything back, by scan and by get. What it sees is final: nothing else is under way. */
  async readBack(): Promise<void> {
    const target = this.#session.open
    if (target === undefined) return
    this.#recorder.record({ type: 'verify', action: 'begin' })
    const largest = 'fixed' in this.#sizes ? this.#sizes.fixed : this.#sizes.largest
    const limit = Math.max(1, Math.min(VERIFY_LIMIT, Math.floor(VERIFY_BYTES / Math.max(1, largest))))
    for (let after: string | null = null; ; ) {
      const outcome = await this.#driver.perform(target, RUNNER, { f: 'scan', after, limit })
      if (outcome.type !== 'ok') return
      const entries = outcome.body.entries ?? []
      if (entries.length < limit) break
      after = entries.at(-1)![0]
    }
    for (const key of this.#workload.keys) {
      const outcome = await this.#driver.perform(target, RUNNER, { f: 'get', key })
      if (outcome.type !== 'ok') return
    }
    this.#recorder.record({ type: 'verify', action: 'end' })
  }
}
