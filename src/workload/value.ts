/**
 * Values that prove whose they are. A value is ASCII: a header of fixed width and a filler that only this seed, key
 * and sequence number give, so reading one back is a comparison with what must have been written.
 *
 *     lc1 000000000412 000004096 1a2b3c4d 5e6f7a8b <filler>
 *         sequence     size      key      checksum
 *
 * A value too small for the header is the beginning of its filler: it can be compared, but not name its write.
 */
import type { Observed, Seq } from '../history/events.js'
import { digest, random } from './random.js'

const HEADER = /^lc1 (\d{12}) (\d{9}) ([0-9a-f]{8}) ([0-9a-f]{8}) /
/** Bytes of the header; smaller values cannot prove themselves. */
export const HEADER_SIZE = 45
const CHECKSUM_AT = 36
const CHECKSUM_SIZE = 8

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const POOL_SIZE = 64 * 1024
/** Odd, so that a change of any one character changes the checksum. */
const BASE = 0x01000193

/**
 * Fillers are slices of one random ring: making a 64 KiB value then costs a copy, not 64 Ki random numbers.
 * `sums[n]` is the checksum of the ring's first n characters, from which that of any slice follows.
 */
interface Pool {
  readonly text: string
  readonly sums: Int32Array
}

let pool: Pool | undefined

function fillerPool(): Pool {
  if (pool === undefined) {
    const stream = random('lightning-chaos', 'filler')
    const codes = Buffer.alloc(POOL_SIZE)
    for (let i = 0; i < POOL_SIZE; i += 4) {
      const bits = stream.uint32()
      for (let j = 0; j < 4; j++) codes[i + j] = ALPHABET.charCodeAt((bits >>> (j * 8)) & 63)
    }
    const sums = new Int32Array(POOL_SIZE + 1)
    for (let i = 0; i < POOL_SIZE; i++) sums[i + 1] = (Math.imul(sums[i]!, BASE) + codes[i]!) | 0
    pool = { text: codes.toString('latin1'), sums }
  }
  return pool
}

/** BASE to the power of `exponent`, modulo 2^32. */
function power(exponent: number): number {
  let result = 1
  let square = BASE
  for (let rest = exponent; rest > 0; rest >>>= 1) {
    if (rest & 1) result = Math.imul(result, square)
    square = Math.imul(square, square)
  }
  return result
}

/** Continues the checksum `sum` over `text`: a polynomial in BASE modulo 2^32. */
function checksum(sum: number, text: string): number {
  let result = sum
  for (let i = 0; i < text.length; i++) result = (Math.imul(result, BASE) + text.charCodeAt(i)) | 0
  return result
}

/** Continues `sum` over the ring's characters from `from` to `to`, without looking at them. */
function slicedChecksum(sum: number, from: number, to: number): number {
  const { sums } = fillerPool()
  const length = power(to - from)
  return (Math.imul(sum, length) + sums[to]! - Math.imul(sums[from]!, length)) | 0
}

/** `length` characters of the ring from `offset` on, and the checksum `sum` continued over them. */
function filler(offset: number, length: number, sum: number): { text: string; sum: number } {
  const ring = fillerPool().text
  let text = ''
  let result = sum
  for (let from = offset; text.length < length; from = 0) {
    const to = Math.min(POOL_SIZE, from + length - text.length)
    text += ring.slice(from, to)
    result = slicedChecksum(result, from, to)
  }
  return { text, sum: result }
}

const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0')
const keyHash = (seed: string, key: string) => hex(digest(seed, 'key', key)[0])

/**
 * The value that write `seq` puts under `key`: exactly `size` ASCII characters.
 * @throws RangeError where the header has no room for a number (`seq` from 1e12, `size` from 1e9)
 */
export function encodeValue(seed: string, key: string, seq: Seq, size: number): string {
  if (seq >= 1e12 || size >= 1e9) throw new RangeError(`no value has sequence ${seq} and size ${size}`)
  const offset = digest(seed, 'filler', key, seq)[0] % POOL_SIZE
  if (size < HEADER_SIZE) return filler(offset, size, 0).text
  const head = `lc1 ${String(seq).padStart(12, '0')} ${String(size).padStart(9, '0')} ${keyHash(seed, key)} `
  const body = filler(offset, size - HEADER_SIZE, checksum(0, `${head} `))
  return `${head}${hex(body.sum)} ${body.text}`
}

/** What `text`, read under `key`, is: the write that it proves, a text too short to prove any, or damage. */
export function identify(seed: string, key: string, text: string): Observed {
  if (text.length < HEADER_SIZE) return { text }
  const header = HEADER.exec(text)
  if (header === null)
    return { corrupt: `${text.length} characters that do not begin with the header of a value` }
  const seq = Number(header[1])
  const size = Number(header[2])
  if (header[3] !== keyHash(seed, key)) {
    return {
      corrupt: wholeByItself(text, header[4]!)
        ? `write #${seq}, whole, but of another key`
        : 'a header that names another key, and a checksum that does not match',
    }
  }
  if (text.length < size) return { corrupt: `#${seq} truncated: ${text.length} of ${size} bytes` }
  if (text.length > size) return { corrupt: `#${seq} with ${text.length - size} bytes after its ${size}` }
  // The checksum is part of what is compared; comparing whole is stronger than recomputing it, and faster.
  const expected = encodeValue(seed, key, seq, size)
  if (text === expected) return { seq }
  return { corrupt: difference(text, expected, seq) }
}

function wholeByItself(text: string, claimed: string): boolean {
  const rest = text.slice(CHECKSUM_AT + CHECKSUM_SIZE)
  return hex(checksum(checksum(0, text.slice(0, CHECKSUM_AT)), rest)) === claimed
}

function difference(text: string, expected: string, seq: Seq): string {
  let at = 0
  while (text[at] === expected[at]) at++
  if (at < HEADER_SIZE) return `#${seq} with a header whose checksum does not match`
  return `#${seq} differs from what was written from byte ${at} of ${text.length} on`
}
