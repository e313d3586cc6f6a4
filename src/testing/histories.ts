/** Histories like those of real trials, for tests that need many: a thousand trials take minutes. */
import { type Event, RUNNER } from '../history/events.js'
import { packTimeline } from '../history/packed-timeline.js'
import { timelineOf } from '../history/timeline.js'
import type { TrialResult } from '../report/result.js'
import { type Random, random } from '../workload/random.js'
import { createWorkload, type Workload } from '../workload/workload.js'
import { trial, violation } from './results.js'

const SPEC = {
  keys: 48,
  clients: 4,
  depth: 4,
  sizes: { largest: 16_384 },
  mix: { put: 50, delete: 8, batch: 6, get: 30, scan: 6 },
}
const FULL = {
  code: 'ENOSPC',
  kind: 'disk-full',
  recoverable: true,
  message:
    'cannot append to /dev/shm/lightning-chaos-x/volume/data/0000000001.log: ENOSPC: no space left on device',
} as const
const QUIET = 1 / 3

/** Writes a trial's story: bursts of operations, each answered after some tenths of a millisecond. */
class Story {
  readonly events: Event[] = []
  readonly #random: Random
  readonly #workload: Workload
  #time = 0
  #id = 0
  #free = 8_159_232
  #ballast = 0
  #sampled = 0

  constructor(seed: string) {
    this.#random = random(seed, 'history')
    this.#workload = createWorkload(seed, SPEC)
  }

  add(event: Event extends infer E ? (E extends Event ? Omit<E, 'time'> : never) : never): void {
    this.events.push({ ...event, time: Math.round(this.#time * 10) / 10 } as Event)
  }

  /** Lets time go by, in milliseconds, about so long; what room there is is looked at every 50. */
  wait(about: number): void {
    this.#time += about * (0.5 + this.#random.fraction())
    if (this.#time < this.#sampled + 50) return
    this.#sampled = this.#time
    this.add({ type: 'space', freeBytes: Math.max(0, this.#free - this.#ballast), freeInodes: 1018 })
  }

  run(operations: number): void {
    for (let done = 0; done < operations; done += 1) {
      if (this.#random.chance(0.02)) this.wait(20)
      const id = ++this.#id
      const op = this.#workload.operation(id, SPEC.mix)
      this.add({ type: 'invoke', id, client: id % SPEC.clients, op })
      this.wait(-Math.log(1 - this.#random.fraction()) * 0.8)
      const isRead = op.f === 'get' || op.f === 'scan'
      if (!isRead && this.#ballast > 0 && this.#random.chance(0.9))
        this.add({ type: 'fail', id, error: FULL })
      else this.add({ type: 'ok', id, ...(isRead ? { value: null } : {}) })
      if (!isRead) this.#free -= 4096 * this.#random.integer(0, 2)
    }
  }

  inject(): void {
    this.#ballast = this.#free
    this.#fault('inject')
    this.#evidence('probe', 1)
  }

  heal(): void {
    this.#evidence('probe', 1)
    this.#evidence('direct', this.#random.integer(20, 90))
    this.#ballast = 0
    this.#fault('heal')
    this.wait(3)
    this.add({ type: 'resume', how: 'in-place', detail: 'writes are back after 3 tries' })
  }

  restart(): void {
    this.wait(5)
    this.add({ type: 'process', action: 'kill', detail: 'was ended by SIGKILL' })
    this.start()
  }

  start(): void {
    this.wait(200)
    this.add({ type: 'process', action: 'start', detail: 'lightning 0.1.0' })
    this.add({ type: 'open', ok: true, mode: 'read-write' })
  }

  verify(): void {
    this.add({ type: 'verify', action: 'begin' })
    for (const key of this.#workload.keys) {
      const id = ++this.#id
      this.add({ type: 'invoke', id, client: RUNNER, op: { f: 'get', key } })
      this.wait(0.3)
      this.add({ type: 'ok', id, value: { seq: this.#random.integer(1, 9999) } })
    }
    this.add({ type: 'verify', action: 'end' })
  }

  #fault(action: 'inject' | 'heal'): void {
    this.wait(30)
    const about = { family: 'full', refusals: ['disk-full'], errnos: ['ENOSPC'] } as const
    this.add({ type: 'fault', action, fault: 'ballast', ...about, detail: `ballast of ${this.#free} bytes` })
  }

  #evidence(grade: 'probe' | 'direct', count: number): void {
    this.wait(7)
    this.add({ type: 'evidence', grade, errno: 'ENOSPC', count, detail: 'writing 64 KiB to a new file' })
  }
}

/** @param faults how often the disk is full and free again */
function historyLike(seed: string, faults: number): Event[] {
  const story = new Story(seed)
  story.add({ type: 'volume', detail: 'tmpfs on /dev/shm/lightning-chaos-x/volume' })
  story.start()
  story.run(100)
  for (let fault = 0; fault < faults; fault += 1) {
    story.inject()
    story.run(Math.ceil(200 / faults))
    story.heal()
    story.run(Math.ceil(100 / faults))
  }
  for (let restart = 0; restart < 2; restart += 1) {
    story.verify()
    story.restart()
  }
  story.verify()
  return story.events
}

/** A trial of `scenario`, with all that is kept of it: of one in twenty that it failed. */
export function trialLike(scenario: string, index: number): TrialResult {
  const stream = random(scenario, index)
  const seed = Array.from({ length: 12 }, () => stream.integer(0, 15).toString(16)).join('')
  const history = historyLike(seed, stream.chance(QUIET) ? 5 : 1)
  const replay = `npx lightning-chaos replay ${scenario} --trial ${seed}.${index}`
  const evidence = { ENOSPC: { direct: stream.integer(20, 400), probe: 2 } }
  const about = { scenario, seed, index, replay, evidence, durationMs: Math.round(history.at(-1)!.time) + 90 }
  if (!stream.chance(0.05)) return trial('passed', { ...about, timeline: packTimeline(timelineOf(history)) })
  const proofs = [0.7, 0.9, 0.95].map((share) => Math.floor(share * history.length))
  const violations = proofs.map((at) => ({
    ...violation('lost-write', `key k07: put #${at} was acked, and after the first restart nothing is there`),
    at,
  }))
  const lines = history.filter(({ type }) => type === 'fail')
  return trial('failed', {
    ...about,
    violations,
    history,
    timeline: packTimeline(timelineOf(history, proofs)),
    targetLog: lines
      .map(({ time }) => `[${(time / 1000).toFixed(4).padStart(10)}] ${FULL.message}\n`)
      .join(''),
  })
}
