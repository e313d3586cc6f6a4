import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeValue, HEADER_SIZE, identify } from './value.js'

const key = fc.string({ unit: 'grapheme' })
const seq = fc.integer({ min: 1, max: 1e9 })
const sizes = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: HEADER_SIZE, max: 70_000 }))

function replaceAt(text: string, at: number, character: string): string {
  return text.slice(0, at) + character + text.slice(at + 1)
}

describe('encodeValue', () => {
  it('gives the same text in every release', () => {
    expect(encodeValue('seed', 'k07', 412, 80)).toMatchInlineSnapshot(
      `"lc1 000000000412 000000080 71ce789f 941d6900 u_wyBYXJ1fw8mJJRb0u3yCWZj2g9rDWmQ4Q"`,
    )
    expect(encodeValue('seed', 'k07', 412, 20)).toMatchInlineSnapshot(`"u_wyBYXJ1fw8mJJRb0u3"`)
  })

  it('is ASCII of exactly the size', () => {
    fc.assert(
      fc.property(key, seq, sizes, (key, seq, size) => {
        const value = encodeValue('s', key, seq, size)
        expect(value).toHaveLength(size)
        expect(Buffer.byteLength(value)).toBe(size)
      }),
    )
  })

  it('goes round its ring for values larger than the ring', () => {
    const value = encodeValue('s', 'k', 1, 1_000_000)
    expect(value).toHaveLength(1_000_000)
    expect(identify('s', 'k', value)).toEqual({ seq: 1 })
  })

  it('refuses numbers that its header has no room for', () => {
    expect(() => encodeValue('s', 'k', 1e12, 100)).toThrow(RangeError)
    expect(() => encodeValue('s', 'k', 1, 1e9)).toThrow(RangeError)
  })
})

describe('identify', () => {
  it('names the write of every value that is whole, and keeps the text of a short one', () => {
    fc.assert(
      fc.property(key, seq, sizes, (key, seq, size) => {
        const value = encodeValue('s', key, seq, size)
        expect(identify('s', key, value)).toEqual(size < HEADER_SIZE ? { text: value } : { seq })
      }),
    )
  })

  it('sees any one character that changed', () => {
    fc.assert(
      fc.property(
        seq,
        fc.integer({ min: HEADER_SIZE, max: 300 }),
        fc.nat(),
        fc.constantFrom('!', 'é', '\0'),
        (seq, size, at, c) => {
          const value = replaceAt(encodeValue('s', 'k', seq, size), at % size, c)
          expect(identify('s', 'k', value)).toHaveProperty('corrupt')
        },
      ),
    )
  })

  it('says in words what is wrong', () => {
    const value = encodeValue('s', 'k', 412, 300)
    const reason = (text: string, key = 'k') => (identify('s', key, text) as { corrupt: string }).corrupt
    expect(reason(value.slice(0, 100))).toBe('#412 truncated: 100 of 300 bytes')
    expect(reason(`${value}xy`)).toBe('#412 with 2 bytes after its 300')
    expect(reason(value, 'other')).toBe('write #412, whole, but of another key')
    expect(reason(replaceAt(value, 200, '!'), 'other')).toBe(
      'a header that names another key, and a checksum that does not match',
    )
    expect(reason(replaceAt(value, 200, '!'))).toBe(
      '#412 differs from what was written from byte 200 of 300 on',
    )
    expect(reason(replaceAt(value, 38, value[38] === '0' ? '1' : '0'))).toBe(
      '#412 with a header whose checksum does not match',
    )
    expect(reason('\0'.repeat(300))).toBe('300 characters that do not begin with the header of a value')
    expect(reason(encodeValue('another trial', 'k', 412, 300))).toBe('write #412, whole, but of another key')
  })

  it('covers the filler by the checksum, also across the end of the ring', () => {
    for (let seq = 1; seq < 40; seq++) {
      const value = encodeValue('s', 'k', seq, 200_000)
      expect(identify('s', 'other', value)).toEqual({ corrupt: `write #${seq}, whole, but of another key` })
    }
  })
})
