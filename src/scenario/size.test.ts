import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatSize, parseSize } from './size.js'

describe('parseSize', () => {
  it.each([
    ['0', 0],
    ['4096', 4096],
    ['64KiB', 65_536],
    ['8 MiB', 8_388_608],
    ['1.5KiB', 1536],
    ['2GB', 2_000_000_000],
    [' 7B ', 7],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each(['', '-5', '1.5', '64kib', '8 Mi', 'KiB', '0x10', '1e3', '9'.repeat(400), '1 2'])(
    '%s is no size',
    (text) => {
      expect(parseSize(text)).toBeUndefined()
    },
  )
})

describe('formatSize', () => {
  it.each([
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [8_388_608, '8 MiB'],
    [3 * 1024 ** 3, '3 GiB'],
  ])('%i bytes are %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text)
  })

  it('writes sizes that parseSize reads, within the digit that it shows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (bytes) => {
        expect(Math.abs(parseSize(formatSize(bytes))! - bytes)).toBeLessThanOrEqual(bytes * 0.05)
      }),
    )
  })
})
