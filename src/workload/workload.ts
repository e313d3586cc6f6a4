/**
 * The stream of client operations. Operation `index` is a function of the seed, the spec and its number alone, so a
 * trial can be replayed, cut short or entered anywhere without drawing what came before.
 */
import { UsageError } from '../errors.js'
import type { DeleteOp, Operation, PutOp, Seq, WriteOp } from '../history/events.js'
import { makeKeys } from './keys.js'
import { type Random, random } from './random.js'
import { drawSize } from './sizes.js'
import type { WorkloadSpec } from './spec.js'

export type Mix = WorkloadSpec['mix']

/** Sequence numbers that an operation may use: as many as the largest batch has writes, and some to spare. */
const SEQS_PER_OPERATION = 16
const LARGEST_BATCH = 8
const SCAN_LIMITS = [1, 3, 10, 1000] as const
/** Scans start at the first key this often. */
const SCANS_FROM_START = 0.25

export interface Workload {
  /** All different. Key `i` belongs to client `i % clients`: only that client writes it. */
  readonly keys: readonly string[]
  /**
   * Operation number `index` (from 0) of client `index % clients`; it writes and gets that client's keys only.
   * @param mix weights to use instead of the spec's
   * @throws UsageError where every weight is 0
   */
  operation(index: number, mix?: Mix): Operation
  /** A put of the caller's choosing, with the sequence number of operation `index`. */
  put(index: number, key: string, size: number): PutOp
  /** A delete of the caller's choosing, with the sequence number of operation `index`. */
  delete(index: number, key: string): DeleteOp
}

/** @throws UsageError where there are fewer keys than clients */
export function createWorkload(seed: string, spec: WorkloadSpec): Workload {
  const { clients } = spec
  if (spec.keys < clients) {
    throw new UsageError(`${clients} clients need a key each, and there are ${spec.keys} keys`, {
      hint: 'give the workload more keys, or fewer clients',
    })
  }
  const keys = makeKeys(spec.keys)
  const keysOf = (client: number) => Math.ceil((keys.length - client) / clients)
  const keyOf = (client: number, number: number) => keys[number * clients + client]!

  return {
    keys,
    put: (index, key, size) => ({ f: 'put', key, seq: firstSeq(index), size }),
    delete: (index, key) => ({ f: 'delete', key, seq: firstSeq(index) }),
    operation(index, mix = spec.mix) {
      const stream = random(seed, 'operation', index)
      const client = index % clients
      const own = keysOf(client)
      const ownKey = () => keyOf(client, stream.integer(0, own - 1))
      const write = (kind: 'put' | 'delete', key: string, seq: Seq): WriteOp =>
        kind === 'put'
          ? { f: 'put', key, seq, size: drawSize(stream, spec.sizes) }
          : { f: 'delete', key, seq }

      const f = drawKind(stream, mix)
      switch (f) {
        case 'put':
        case 'delete':
          return write(f, ownKey(), firstSeq(index))
        case 'batch': {
          const deletes = mix.delete / (mix.put + mix.delete || 1)
          const chosen = stream.sample(Math.min(own, stream.integer(2, LARGEST_BATCH)), own)
          const writes = chosen.map((number, i) =>
            write(stream.chance(deletes) ? 'delete' : 'put', keyOf(client, number), firstSeq(index) + i),
          )
          return { f, writes }
        }
        case 'get':
          return { f, key: ownKey() }
        case 'scan': {
          const after = stream.chance(SCANS_FROM_START) ? null : keys[stream.integer(0, keys.length - 1)]!
          return { f, after, limit: stream.pick(SCAN_LIMITS) }
        }
      }
    },
  }
}

function firstSeq(index: number): Seq {
  return index * SEQS_PER_OPERATION + 1
}

function drawKind(stream: Random, mix: Mix): keyof Mix {
  const choices = (['put', 'delete', 'batch', 'get', 'scan'] as const).map((f) => [mix[f], f] as const)
  if (!choices.some(([weight]) => weight > 0)) {
    throw new UsageError('every operation of the mix has weight 0, so there is nothing to run', {
      hint: 'give put, delete, batch, get or scan a weight above 0',
    })
  }
  return stream.weighted(choices)
}
