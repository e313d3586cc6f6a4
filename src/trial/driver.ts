/** Sends operations to the target and writes down what was asked and what came of it. */
import type { Observed, Operation, WriteOp } from '../history/events.js'
import { TargetGone, type TargetProcess } from '../target/child.js'
import { type OkBody, REFUSALS, type Request, type TargetError, type WireWrite } from '../target/protocol.js'
import type { WorkloadSpec } from '../workload/spec.js'
import { encodeValue, identify } from '../workload/value.js'
import type { Mix, Workload } from '../workload/workload.js'
import type { Recorder } from './recorder.js'

/** Refused: the target said so. Gone: it will never answer again. */
export type Outcome =
  | { readonly type: 'ok'; readonly body: OkBody }
  | { readonly type: 'failed'; readonly error: TargetError }
  | { readonly type: 'gone' }

export interface RunOptions {
  readonly operations: number
  readonly mix: Mix
  /** End early, once a write was refused and every client has had a few more turns. */
  readonly untilRefused: boolean
  /** Called with each answer: how many there were, and how long the target took for this one, in milliseconds. */
  onAnswer?(answers: number, tookMs: number): void
}

/** Operations that each client still sends after the first refused write: what follows a refusal is the test. */
const TURNS_AFTER_REFUSAL = 4

export class Driver {
  readonly #seed: string
  readonly #spec: WorkloadSpec
  readonly #workload: Workload
  readonly #recorder: Recorder
  #nextId = 1
  /** Index of the next operation of the workload. */
  #cursor = 0

  constructor(seed: string, spec: WorkloadSpec, workload: Workload, recorder: Recorder) {
    this.#seed = seed
    this.#spec = spec
    this.#workload = workload
    this.#recorder = recorder
  }

  /**
   * Runs the next operations of the workload, pipelined from several clients. At most one write of a key is under
   * way at a time, so that every answer has one meaning.
   */
  async run(target: TargetProcess, { operations, mix, untilRefused, onAnswer }: RunOptions): Promise<void> {
    const { clients, depth } = this.#spec
    const end = this.#cursor + operations
    const start = this.#cursor
    this.#cursor = end
    const writing = new Map<string, Promise<unknown>>()
    let gone = false
    let refused = false
    let answers = 0

    const client = async (number: number): Promise<void> => {
      let next = start + ((number - (start % clients) + clients) % clients)
      let turnsLeft = Number.POSITIVE_INFINITY
      const slot = async (): Promise<void> => {
        while (next < end && !gone && turnsLeft > 0) {
          const operation = this.#workload.operation(next, mix)
          next += clients
          if (refused) turnsLeft = Math.min(turnsLeft, TURNS_AFTER_REFUSAL) - 1
          const keys = writesOf(operation).map((write) => write.key)
          while (keys.some((key) => writing.has(key))) await Promise.all(keys.map((key) => writing.get(key)))
          const asked = performance.now()
          const done = this.perform(target, number, operation)
          for (const key of keys) writing.set(key, done)
          const outcome = await done
          for (const key of keys) writing.delete(key)
          if (outcome.type === 'gone') gone = true
          else onAnswer?.(++answers, performance.now() - asked)
          if (outcome.type === 'failed' && keys.length > 0 && untilRefused) refused = true
        }
      }
      await Promise.all(Array.from({ length: depth }, slot))
    }
    await Promise.all(Array.from({ length: clients }, (_, number) => client(number)))
  }

  /** The index of an operation that the workload leaves to the caller. */
  takeIndex(): number {
    const { clients } = this.#spec
    const index = this.#cursor
    // a whole round, so that the workload's operations stay with their clients
    this.#cursor += clients
    return index
  }

  /** Sends one operation and records what came of it. */
  async perform(target: TargetProcess, client: number, op: Operation): Promise<Outcome> {
    const id = this.#nextId++
    this.#recorder.record({ type: 'invoke', id, client, op })
    try {
      const response = await target.request(this.#request(op))
      if (response.ok) {
        this.#recorder.record({ type: 'ok', id, ...this.#observed(op, response) })
        return { type: 'ok', body: response }
      }
      const { error } = response
      // a read has no effect, so one that failed did not happen
      const refused = REFUSALS.has(error.kind) || op.f === 'get' || op.f === 'scan'
      this.#recorder.record({ type: refused ? 'fail' : 'info', id, error })
      return { type: 'failed', error }
    } catch (error) {
      if (!(error instanceof TargetGone)) throw error
      const kind = error.reason === 'timeout' ? 'timeout' : 'exit'
      this.#recorder.record({ type: 'info', id, error: { kind, message: error.detail } })
      return { type: 'gone' }
    }
  }

  #request(op: Operation): Request {
    switch (op.f) {
      case 'put':
        return { op: 'put', key: op.key, value: this.#value(op) }
      case 'delete':
        return { op: 'delete', key: op.key }
      case 'batch':
        return { op: 'batch', ops: op.writes.map((write) => this.#wireWrite(write)) }
      case 'get':
        return { op: 'get', key: op.key }
      case 'scan':
        return { op: 'scan', limit: op.limit, ...(op.after === null ? {} : { after: op.after }) }
      default:
        return { op: op.f }
    }
  }

  #wireWrite(write: WriteOp): WireWrite {
    return write.f === 'put' ? ['put', write.key, this.#value(write)] : ['delete', write.key]
  }

  #value({ key, seq, size }: { key: string; seq: number; size: number }): string {
    return encodeValue(this.#seed, key, seq, size)
  }

  /** What a read saw, reduced to what identifies it. */
  #observed(op: Operation, body: OkBody): { value?: Observed; entries?: (readonly [string, Observed])[] } {
    if (op.f === 'get') return { value: this.#identify(op.key, body.value ?? null) }
    if (op.f === 'scan') {
      return {
        entries: (body.entries ?? []).map(([key, value]) => [key, this.#identify(key, value)] as const),
      }
    }
    return {}
  }

  #identify(key: string, value: string | null): Observed {
    return value === null ? null : identify(this.#seed, key, value)
  }
}

function writesOf(operation: Operation): readonly WriteOp[] {
  if (operation.f === 'batch') return operation.writes
  return operation.f === 'put' || operation.f === 'delete' ? [operation] : []
}
