import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c, crc32cWord } from './crc32c.js'

/** The definition, bit by bit. */
function reference(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}

describe('crc32c', () => {
  it('has the check value of the catalogue', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
  })

  it('has the values of RFC 3720, appendix B.4', () => {
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43)
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
  })

  it('is what the definition says, for any part of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), fc.nat(20), (bytes, end, start) => {
        const to = Math.min(end, bytes.length)
        const from = Math.min(start, to)
        expect(crc32c(bytes, from, to)).toBe(reference(bytes.subarray(from, to)))
      }),
    )
  })

  it('continues from a checksum, by bytes and by a word', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.integer(), (bytes, cut, word) => {
        const at = Math.min(cut, bytes.length)
        expect(crc32c(bytes, at, bytes.length, crc32c(bytes, 0, at))).toBe(crc32c(bytes))
        const tail = Buffer.alloc(4)
        tail.writeInt32LE(word)
        expect(crc32cWord(crc32c(bytes), word)).toBe(crc32c(Buffer.concat([bytes, tail])))
      }),
    )
  })
})
