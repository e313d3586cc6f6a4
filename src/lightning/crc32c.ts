/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82f63b78; RFC 3720 appendix B.4), sixteen bytes a step
 * ("slicing by 16", Kounavis and Berry, 2005). `crc32c('123456789')` is 0xe3069283.
 */
import { endianness } from 'node:os'

const POLYNOMIAL = 0x82f63b78

/** Table n maps a byte to its effect on the checksum n bytes later. */
const [T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15] = tables()

function tables(): Int32Array[] {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    return crc
  })
  const all = [first]
  while (all.length < 16) all.push(all.at(-1)!.map((crc) => (crc >>> 8) ^ first[crc & 0xff]!))
  return all
}

/** Below this length a view of words costs more than it saves. */
const WORDS_FROM = endianness() === 'LE' ? 64 : Number.POSITIVE_INFINITY

/** The view of the buffer seen last: recovery asks for thousands of checksums in one buffer. */
let words = new Int32Array(0)

function wordsOf(buffer: ArrayBufferLike): Int32Array {
  if (words.buffer !== buffer) words = new Int32Array(buffer as ArrayBuffer, 0, buffer.byteLength >>> 2)
  return words
}

/** The checksum of `bytes[start, end)`. With `seed`, the checksum of what came before, it continues that. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  let crc = ~seed
  let i = start
  if (end - start >= WORDS_FROM) {
    for (; (bytes.byteOffset + i) & 3; i++) crc = T0![(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8)
    const view = wordsOf(bytes.buffer)
    const first = (bytes.byteOffset + i) >>> 2
    const last = first + (((end - i) >>> 4) << 2)
    for (let w = first; w < last; w += 4) {
      const a = crc ^ view[w]!
      const b = view[w + 1]!
      const c = view[w + 2]!
      const d = view[w + 3]!
      crc =
        T15![a & 0xff]! ^
        T14![(a >>> 8) & 0xff]! ^
        T13![(a >>> 16) & 0xff]! ^
        T12![a >>> 24]! ^
        T11![b & 0xff]! ^
        T10![(b >>> 8) & 0xff]! ^
        T9![(b >>> 16) & 0xff]! ^
        T8![b >>> 24]! ^
        T7![c & 0xff]! ^
        T6![(c >>> 8) & 0xff]! ^
        T5![(c >>> 16) & 0xff]! ^
        T4![c >>> 24]! ^
        T3![d & 0xff]! ^
        T2![(d >>> 8) & 0xff]! ^
        T1![(d >>> 16) & 0xff]! ^
        T0![d >>> 24]!
    }
    i += (last - first) << 2
  }
  for (; i < end; i++) crc = T0![(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

/** Continues `crc` with the four bytes of a 32-bit word, least significant first. */
export function crc32cWord(crc: number, word: number): number {
  const x = ~crc ^ word
  return ~(T3![x & 0xff]! ^ T2![(x >>> 8) & 0xff]! ^ T1![(x >>> 16) & 0xff]! ^ T0![x >>> 24]!) >>> 0
}
