/** How violations name things, so that the same thing reads the same in every sentence. */
import type { Operation, WriteOp } from '../history/events.js'

const ORDINALS = ['first', 'second', 'third', 'fourth', 'fifth']

export function restartInWords(number: number): string {
  const ordinal = ORDINALS[number - 1]
  return ordinal === undefined ? `restart ${number}` : `the ${ordinal} restart`
}

export function keyInWords(key: string): string {
  const short = key.length > 48 ? `${key.slice(0, 24)}…${key.slice(-12)}` : key
  return /^[\w./…-]+$/.test(short) ? `key ${short}` : `key ${JSON.stringify(short)}`
}

export function writeInWords(write: WriteOp): string {
  return `${write.f} #${write.seq}`
}

export function operationInWords(op: Operation): string {
  switch (op.f) {
    case 'put':
    case 'delete':
      return `${writeInWords(op)} of ${keyInWords(op.key)}`
    case 'batch':
      return batchInWords(op.writes)
    case 'get':
      return `get of ${keyInWords(op.key)}`
    case 'scan':
      return op.after === null ? 'scan from the start' : `scan after ${keyInWords(op.after)}`
    default:
      return op.f
  }
}

export function batchInWords(writes: readonly WriteOp[]): string {
  return `batch #${writes[0]!.seq} to #${writes.at(-1)!.seq}`
}
