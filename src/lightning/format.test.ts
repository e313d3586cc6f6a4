import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkFrame,
  commitOf,
  decodeHeader,
  ENTRY_HEAD,
  encodeFrame,
  encodeHeader,
  entryLength,
  frameLength,
  frameSeed,
  keyFromBinary,
  keyToBinary,
  type SegmentHeader,
  visitEntries,
  type Write,
} from './format.js'

const header: SegmentHeader = {
  compacted: true,
  storeId: '00112233445566778899aabbccddeeff',
  firstId: 3,
  lastId: 7,
  firstCommit: 2 ** 40,
  lastCommit: 2 ** 41,
  length: 2 ** 42,
  cleanAsOf: 2 ** 47,
}
const seed = frameSeed(header)
const POSITION = 4096

const write: fc.Arbitrary<Write> = fc.record({
  key: fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }).map(keyToBinary),
  value: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }),
})
const writes = fc.array(write, { minLength: 1, maxLength: 6 })

function frameOf(list: readonly Write[], commit = 9): Buffer {
  const bytes = Buffer.alloc(frameLength(list.reduce((sum, write) => sum + entryLength(write), 0)))
  expect(encodeFrame(bytes, list, commit, seed, POSITION)).toBe(bytes.length)
  return bytes
}

function check(bytes: Buffer, position = POSITION) {
  return checkFrame(bytes, 0, bytes.length, seed, position, position + bytes.length)
}

describe('a segment header', () => {
  it('comes back as it was', () => {
    expect(decodeHeader(encodeHeader(header))).toEqual(header)
  })

  it('is refused with any byte changed, and when it is cut off', () => {
    const bytes = encodeHeader(header)
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes)
      changed[i]! ^= 1
      expect(decodeHeader(changed)).toBeTypeOf('string')
      expect(decodeHeader(bytes.subarray(0, i))).toBeTypeOf('string')
    }
  })
})

describe('a frame', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(writes, fc.nat(2 ** 31), (list, commit) => {
        const bytes = frameOf(list, commit)
        expect(check(bytes)).toBe(bytes.length)
        expect(commitOf(bytes, 0)).toBe(commit)
        const found: Write[] = []
        visitEntries(bytes, 0, (key, isPut, at, length) => {
          const value = Uint8Array.from(bytes.subarray(at + ENTRY_HEAD + key.length, at + length))
          found.push({ key, value: isPut ? value : undefined })
        })
        expect(found).toEqual(list)
      }),
    )
  })

  it('is not whole with any byte changed, cut off anywhere, or in another place', () => {
    fc.assert(
      fc.property(writes, fc.integer({ min: 1, max: 255 }), (list, flip) => {
        const bytes = frameOf(list)
        for (let i = 0; i < bytes.length; i++) {
          const changed = Buffer.from(bytes)
          changed[i]! ^= flip
          expect(check(changed)).not.toBe(bytes.length)
          expect(check(bytes.subarray(0, i))).not.toBeTypeOf('number')
        }
        expect(check(bytes, POSITION + 8)).not.toBeTypeOf('number')
      }),
      { numRuns: 20 },
    )
  })

  it('is not whole in another segment or store', () => {
    const bytes = frameOf([{ key: 'k', value: Buffer.from('v') }])
    for (const other of [
      { ...header, firstId: 4 },
      { ...header, storeId: `${header.storeId.slice(0, -1)}0` },
    ]) {
      const check = checkFrame(bytes, 0, bytes.length, frameSeed(other), POSITION, POSITION + bytes.length)
      expect(check).not.toBeTypeOf('number')
    }
  })
})

describe('a binary key', () => {
  it('comes back as it was and is ordered by UTF-8 bytes', () => {
    const key = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(keyFromBinary(keyToBinary(a))).toBe(a)
        const order = Buffer.compare(Buffer.from(a), Buffer.from(b))
        expect(keyToBinary(a) < keyToBinary(b)).toBe(order < 0)
      }),
    )
  })
})
