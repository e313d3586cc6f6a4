/**
 * A store that never breaks a promise, driven by a random schedule: it gives histories that the judge must accept.
 * Hooks let a test plant one loss into it, which the judge must then find.
 */
import type { Event, FaultFamily, Observed, Operation, WriteOp } from '../history/events.js'
import { compareUtf8 } from '../oracle/utf8-order.js'
import type { ErrorKind, TargetError } from '../target/protocol.js'
import { type Random, random } from '../workload/random.js'
import type { WorkloadSpec } from '../workload/spec.js'
import { encodeValue, identify } from '../workload/value.js'
import { createWorkload, type Workload } from '../workload/workload.js'

export const SEED = 'perfect'

const SPEC: WorkloadSpec = {
  keys: 7,
  clients: 3,
  depth: 3,
  sizes: { largest: 120 },
  mix: { put: 40, delete: 12, batch: 14, get: 24, scan: 10 },
}

export type Untimed<E> = E extends Event ? Omit<E, 'time'> : never
type Data = Map<string, WriteOp>

interface Pending {
  readonly id: number
  readonly op: Operation
  readonly client: number
  /** The effect has taken place and the answer is on its way. */
  answer?: Untimed<Event>
}

export const FAULTS: Record<FaultFamily, { name: string; refusals: readonly ErrorKind[]; errno: string }> = {
  full: { name: 'ballast', refusals: ['disk-full'], errno: 'ENOSPC' },
  'read-only': { name: 'chmod', refusals: ['permission', 'read-only'], errno: 'EACCES' },
  io: { name: 'thin', refusals: ['io'], errno: 'EIO' },
  errorless: { name: 'slow', refusals: [], errno: 'slow' },
}

export function targetError(kind: ErrorKind): TargetError {
  return { code: kind.toUpperCase(), kind, recoverable: true, message: 'as the store says' }
}

function writesOf(op: Operation): readonly WriteOp[] {
  if (op.f === 'batch') return op.writes
  return op.f === 'put' || op.f === 'delete' ? [op] : []
}

/** What a read of `key` gives where this write is there; the write of another key gives that key's value. */
export function sightOf(key: string, write: WriteOp | undefined): Observed {
  if (write === undefined || write.f === 'delete') return null
  return identify(SEED, key, encodeValue(SEED, write.key, write.seq, write.size))
}

export class PerfectStore {
  readonly events: Event[] = []
  readonly workload: Workload
  readonly random: Random
  /** What reads see. */
  data: Data = new Map()
  /** Where a test sets it: what the store says instead of the truth. */
  lie: ((op: Operation, answer: Untimed<Event>) => Untimed<Event>) | undefined
  /** Writes that the log has and memory has not: they show up at the next start. */
  #hidden: (readonly WriteOp[])[] = []
  /** Writes that memory has and the log has not, with what was there before: they are gone at the next start. */
  #unlogged: { readonly write: WriteOp; readonly before: WriteOp | undefined }[] = []
  readonly #spec: WorkloadSpec
  #pending: Pending[] = []
  #faults = new Set<FaultFamily>()
  #hasNoRoom = false
  #isReadOnly = false
  #isRunning = false
  #index = 0
  #id = 0

  constructor(schedule: number, spec: WorkloadSpec = SPEC) {
    this.#spec = spec
    this.workload = createWorkload(SEED, spec)
    this.random = random('schedule', schedule)
    this.emit({ type: 'phase', phase: 'healthy' })
    this.start()
  }

  emit(event: Untimed<Event>): void {
    this.events.push({ ...event, time: this.events.length } as Event)
  }

  /** Spawns a process, if none is running, and opens the directory. */
  start(): void {
    if (!this.#isRunning) this.emit({ type: 'process', action: 'start', detail: 'perfect 1.0' })
    this.#isRunning = true
    this.#recover()
    this.#isReadOnly = this.#faults.has('read-only') && this.random.chance(0.7)
    this.emit({ type: 'open', ok: true, mode: this.#isReadOnly ? 'read-only' : 'read-write' })
  }

  stop(): void {
    this.drain()
    this.emit({ type: 'close' })
    this.emit({ type: 'process', action: 'stop', detail: 'exit 0' })
    this.#isRunning = false
  }

  reopen(): void {
    this.drain()
    this.emit({ type: 'close' })
    this.start()
  }

  /** Ends the process with operations under way: each happened or did not, and nobody was told. */
  kill(action: 'kill' | 'crash' | 'hang' = 'kill'): void {
    const before = this.random.chance(0.5)
    if (!before) this.emit({ type: 'process', action, detail: 'SIGKILL' })
    for (const { id, op, answer } of this.#shuffled()) {
      if (answer === undefined && this.random.chance(0.5)) this.#hidden.push(writesOf(op))
      const kind = action === 'hang' ? 'timeout' : 'exit'
      this.emit({ type: 'info', id, error: { kind, message: 'no answer' } })
    }
    this.#pending = []
    if (before) this.emit({ type: 'process', action, detail: 'SIGKILL' })
    this.#isRunning = false
  }

  inject(family: FaultFamily): void {
    if (this.#faults.has(family)) return
    this.#faults.add(family)
    this.#fault('inject', family)
    this.emit({ type: 'phase', phase: 'faulted' })
    const { errno } = FAULTS[family]
    this.emit({ type: 'evidence', grade: 'probe', errno, count: 1, detail: 'a probe' })
  }

  heal(): void {
    if (this.#faults.size === 0) return
    this.drain()
    const wasReadOnlyOrIo = this.#faults.has('read-only') || this.#faults.has('io')
    for (const family of this.#faults) this.#fault('heal', family)
    this.#faults.clear()
    this.emit({ type: 'phase', phase: 'healed' })
    if (this.#isReadOnly || (wasReadOnlyOrIo && this.random.chance(0.5))) {
      this.#probe()
      this.reopen()
      this.emit({ type: 'resume', how: 'reopen', detail: '3 tries' })
    } else {
      if (this.random.chance(0.5)) this.#probe()
      this.emit({ type: 'resume', how: 'in-place', detail: '3 tries' })
    }
  }

  /** Some steps of the schedule: operations begin, take effect and are answered in any order. */
  run(steps: number): void {
    for (let i = 0; i < steps; i++) {
      const room = this.#spec.clients * this.#spec.depth - this.#pending.length
      if (room > 0 && this.random.chance(0.45)) this.#beginNext()
      else if (this.#pending.length > 0) this.#advance(this.random.integer(0, this.#pending.length - 1))
    }
  }

  /** Answers everything that is under way. */
  drain(): void {
    while (this.#pending.length > 0) this.#advance(0)
  }

  /** Performs one operation with nothing else under way. */
  perform(op: Operation, client = -1): Untimed<Event> {
    this.drain()
    this.#begin(op, client)
    const before = this.events.length
    this.drain()
    return this.events[before]!
  }

  /** Begins an operation that nobody will hear of again: the next thing has to be a kill. */
  begin(op: Operation): void {
    this.drain()
    this.#begin(op, -1)
  }

  /** Has an operation refused: the disk is full for as long as that takes. */
  refuse<T extends Operation>(op: T): T {
    this.inject('full')
    this.#hasNoRoom = true
    this.perform(op, 0)
    this.#hasNoRoom = false
    this.heal()
    return op
  }

  /** An index that no operation has used. */
  takeIndex(): number {
    return this.#index++
  }

  verify(): void {
    this.drain()
    this.emit({ type: 'verify', action: 'begin' })
    const limit = this.random.pick([1, 2, 3, 1000])
    for (let after: string | null = null; ; ) {
      const answer = this.perform({ f: 'scan', after, limit })
      const entries: readonly (readonly [string, Observed])[] = (answer.type === 'ok' && answer.entries) || []
      if (entries.length < limit) break
      after = entries.at(-1)![0]
    }
    for (const key of this.workload.keys) this.perform({ f: 'get', key })
    this.emit({ type: 'verify', action: 'end' })
  }

  /** Heals, and closes as every trial does: two restarts, each read back. */
  close(): void {
    this.heal()
    this.verify()
    this.kill()
    this.start()
    this.verify()
    this.stop()
    this.start()
    this.verify()
  }

  #fault(action: 'inject' | 'heal', family: FaultFamily): void {
    const { name: fault, refusals, errno } = FAULTS[family]
    this.emit({
      type: 'fault',
      action,
      fault,
      family,
      refusals,
      errnos: [errno],
      detail: `${action} ${fault}`,
    })
  }

  /** Writes of the runner right after a heal: the store may still refuse them. */
  #probe(): void {
    const op = this.workload.put(this.takeIndex(), this.workload.keys[0]!, 64)
    this.drain()
    const id = ++this.#id
    this.emit({ type: 'invoke', id, client: -1, op })
    this.emit({ type: 'fail', id, error: targetError('busy') })
  }

  #recover(): void {
    for (const { write, before } of this.#unlogged.reverse()) {
      if (this.data.get(write.key) !== write) continue
      if (before === undefined) this.data.delete(write.key)
      else this.data.set(write.key, before)
    }
    for (const writes of this.#hidden) this.#apply(writes)
    this.#unlogged = []
    this.#hidden = []
  }

  /** To the log and to memory; what the log already had of these keys is overwritten there too. */
  #commit(writes: readonly WriteOp[]): void {
    this.#apply(writes)
    const keys = new Set(writes.map((write) => write.key))
    this.#hidden = this.#hidden.map((hidden) => hidden.filter((write) => !keys.has(write.key)))
  }

  #apply(writes: readonly WriteOp[]): void {
    for (const write of writes) this.data.set(write.key, write)
  }

  #shuffled(): readonly Pending[] {
    return this.random.sample(this.#pending.length, this.#pending.length).map((i) => this.#pending[i]!)
  }

  #beginNext(): void {
    const index = this.takeIndex()
    const op = this.workload.operation(index)
    const busy = new Set(this.#pending.flatMap((each) => writesOf(each.op).map((write) => write.key)))
    if (writesOf(op).some((write) => busy.has(write.key))) return
    this.#begin(op, index % this.#spec.clients)
  }

  #begin(op: Operation, client: number): void {
    const id = ++this.#id
    this.emit({ type: 'invoke', id, client, op })
    this.#pending.push({ id, op, client })
  }

  #advance(number: number): void {
    const pending = this.#pending[number]!
    if (pending.answer === undefined) {
      pending.answer = this.#perform(pending)
      // An operation that took effect may be answered at once, or much later.
      if (this.random.chance(0.5)) return
    }
    this.#pending.splice(number, 1)
    this.emit(this.lie?.(pending.op, pending.answer) ?? pending.answer)
  }

  #perform({ id, op, client }: Pending): Untimed<Event> {
    switch (op.f) {
      case 'get':
        return { type: 'ok', id, value: sightOf(op.key, this.data.get(op.key)) }
      case 'scan':
        return { type: 'ok', id, entries: this.#scan(op) }
      case 'sync':
      case 'compact':
        return { type: 'ok', id }
    }
    const writes = writesOf(op)
    const refusal = this.#refusal(op, client)
    if (refusal !== undefined) {
      return { type: 'fail', id, error: targetError(refusal) }
    }
    if (this.#faults.has('io') && this.random.chance(0.4)) {
      this.#leaveOpen(writes)
      return { type: 'info', id, error: targetError('io') }
    }
    this.#commit(writes)
    return { type: 'ok', id }
  }

  #refusal(op: Operation, client: number): ErrorKind | undefined {
    if (this.#hasNoRoom) return 'disk-full'
    if (this.#isReadOnly) return this.random.pick(['permission', 'read-only'])
    if (this.#faults.has('read-only') && this.random.chance(0.8))
      return this.random.pick(['permission', 'read-only'])
    if (this.#faults.has('full') && this.random.chance(0.6) && !(op.f === 'delete' && client === -1))
      return 'disk-full'
    return undefined
  }

  /** A write whose sync failed: whether reads see it, and whether it outlives the session, are two questions. */
  #leaveOpen(writes: readonly WriteOp[]): void {
    const visible = this.random.chance(0.5)
    const logged = this.random.chance(0.5)
    if (visible && logged) this.#commit(writes)
    else if (logged) this.#hidden.push(writes)
    else if (visible) {
      for (const write of writes) this.#unlogged.push({ write, before: this.data.get(write.key) })
      this.#apply(writes)
    }
  }

  #scan({ after, limit }: Extract<Operation, { f: 'scan' }>): [string, Observed][] {
    return [...this.data]
      .filter(([key, write]) => write.f === 'put' && (after === null || compareUtf8(key, after) > 0))
      .sort(([a], [b]) => compareUtf8(a, b))
      .slice(0, limit)
      .map(([key, write]) => [key, sightOf(key, write)])
  }
}

/** A random life with faults, kills and restarts, up to where the closing read-backs begin. */
export function live(store: PerfectStore, rounds: number): void {
  const { random } = store
  store.run(random.integer(0, 120))
  for (let round = 0; round < rounds; round++) {
    const event = random.pick(['kill', 'stop', 'reopen', 'full', 'read-only', 'io', 'heal', 'verify', 'none'])
    if (event === 'kill') store.kill()
    if (event === 'stop') store.stop()
    if (event === 'kill' || event === 'stop') store.start()
    if (event === 'reopen') store.reopen()
    if (event === 'full' || event === 'read-only' || event === 'io') store.inject(event)
    if (event === 'heal') store.heal()
    if (event === 'verify') store.verify()
    store.run(random.integer(0, 120))
  }
}
