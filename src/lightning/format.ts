/**
 * The bytes of a segment: one header, then frames, each on a multiple of eight. All numbers are little-endian;
 * a u64 uses its low 48 bits.
 *
 *     segment header (80)                     frame (24 + entries + 0-7 zeros)      entry (12 + key + value)
 *      0 magic 'LIGHTLOG'                       0 u32 magic 'FRME'                    0 u32 CRC of all that follows
 *      8 u32 format version                     4 u32 checksum                        4 u8  1 put, 2 delete
 *     12 u32 1 written by commits, 2 by a       8 u32 length of the frame             5 u8  0
 *            compaction                        12 u32 number of entries               6 u16 length of the key
 *     16 16 bytes, id of the store             16 u64 number of the commit            8 u32 length of the value
 *     32 u32 first, 36 u32 last segment id     24 entries                            12 key (UTF-8), value
 *     40 u64 first commit
 *     48 u64 last commit        \
 *     56 u64 length of the file  > of a compaction; 0 in a segment written by commits
 *     64 u64 clean as of commit /
 *     72 u32 0, 76 u32 CRC of bytes 0-76
 *
 * An entry's CRC covers the entry, so that one read proves one value. A frame's checksum covers its own fields,
 * the CRCs of its entries, and the place it was written for: the store, the segment, the offset. So the bytes
 * of a frame that were stored as a value, or come from an older life of the disk block, are no frame.
 */
import { crc32c, crc32cWord } from './crc32c.js'

export const HEADER_SIZE = 80
export const FRAME_HEAD = 24
export const ENTRY_HEAD = 12
export const ALIGNMENT = 8

export const MAX_KEY_BYTES = 0xffff
/** The index keeps offsets in 32 bits. */
export const MAX_SEGMENT_BYTES = 0xffff_ffff
/** Keeps a frame small enough to be read into memory as a whole. */
export const MAX_FRAME_BYTES = 256 * 1024 * 1024

const MAGIC = Buffer.from('LIGHTLOG', 'latin1')
const VERSION = 1
const FRAME_MAGIC = Buffer.from('FRME', 'latin1').readUInt32LE()
const PUT = 1
const DELETE = 2

export interface SegmentHeader {
  readonly compacted: boolean
  /** 32 hex digits, the same in all segments of a store. */
  readonly storeId: string
  /** The ids of the segments whose content this one holds: just its own, or those that were compacted into it. */
  readonly firstId: number
  readonly lastId: number
  /** Number of the first commit; the commits of a segment that was written by commits have no gap. */
  readonly firstCommit: number
  /** Of a compaction: the last commit it covers, the exact length of the file, and a commit number: entries
   * that later entries had replaced by then are not here. 0 in a segment that was written by commits. */
  readonly lastCommit: number
  readonly length: number
  readonly cleanAsOf: number
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_SIZE)
  MAGIC.copy(bytes)
  bytes.writeUInt32LE(VERSION, 8)
  bytes.writeUInt32LE(header.compacted ? 2 : 1, 12)
  bytes.write(header.storeId, 16, 'hex')
  bytes.writeUInt32LE(header.firstId, 32)
  bytes.writeUInt32LE(header.lastId, 36)
  bytes.writeUIntLE(header.firstCommit, 40, 6)
  bytes.writeUIntLE(header.lastCommit, 48, 6)
  bytes.writeUIntLE(header.length, 56, 6)
  bytes.writeUIntLE(header.cleanAsOf, 64, 6)
  bytes.writeUInt32LE(crc32c(bytes, 0, 76), 76)
  return bytes
}

/** The header in the first bytes of a segment, or in words why they are none. */
export function decodeHeader(bytes: Buffer): SegmentHeader | string {
  if (bytes.length < HEADER_SIZE) return `the segment header is cut off after ${bytes.length} bytes`
  if (!bytes.subarray(0, 8).equals(MAGIC)) return 'this is no segment header'
  if (bytes.readUInt32LE(76) !== crc32c(bytes, 0, 76)) return 'the checksum of the segment header is wrong'
  const version = bytes.readUInt32LE(8)
  if (version !== VERSION) return `the format version is ${version}; this program knows ${VERSION}`
  return {
    compacted: bytes.readUInt32LE(12) === 2,
    storeId: bytes.toString('hex', 16, 32),
    firstId: bytes.readUInt32LE(32),
    lastId: bytes.readUInt32LE(36),
    firstCommit: bytes.readUIntLE(40, 6),
    lastCommit: bytes.readUIntLE(48, 6),
    length: bytes.readUIntLE(56, 6),
    cleanAsOf: bytes.readUIntLE(64, 6),
  }
}

/** What the checksum of every frame of a segment begins with. */
export function frameSeed(header: Pick<SegmentHeader, 'storeId' | 'firstId' | 'lastId'>): number {
  let seed = crc32c(Buffer.from(header.storeId, 'hex'))
  seed = crc32cWord(seed, header.firstId)
  return crc32cWord(seed, header.lastId)
}

/** An operation of a commit; `value` is undefined for a delete. The key is binary: see `keyToBinary`. */
export interface Write {
  readonly key: string
  readonly value: Uint8Array | undefined
}

export function entryLength(write: Write): number {
  return ENTRY_HEAD + write.key.length + (write.value?.length ?? 0)
}

export function frameLength(entryBytes: number): number {
  return Math.ceil((FRAME_HEAD + entryBytes) / ALIGNMENT) * ALIGNMENT
}

/** Writes an entry at `at` and returns where it ends. */
function encodeEntry(bytes: Buffer, at: number, { key, value }: Write): number {
  const valueStart = at + ENTRY_HEAD + key.length
  const end = valueStart + (value?.length ?? 0)
  bytes[at + 4] = value === undefined ? DELETE : PUT
  bytes[at + 5] = 0
  bytes.writeUInt16LE(key.length, at + 6)
  bytes.writeUInt32LE(end - valueStart, at + 8)
  bytes.write(key, at + ENTRY_HEAD, 'latin1')
  if (value !== undefined) bytes.set(value, valueStart)
  bytes.writeUInt32LE(crc32c(bytes, at + 4, end), at)
  return end
}

/** Makes `bytes[0, length)` a frame out of the entries that stand at FRAME_HEAD. */
export function finishFrame(
  bytes: Buffer,
  entriesEnd: number,
  count: number,
  commit: number,
  seed: number,
  position: number,
): void {
  const length = frameLength(entriesEnd - FRAME_HEAD)
  bytes.fill(0, entriesEnd, length)
  bytes.writeUInt32LE(FRAME_MAGIC, 0)
  bytes.writeUInt32LE(length, 8)
  bytes.writeUInt32LE(count, 12)
  bytes.writeUIntLE(commit, 16, 6)
  bytes.writeUInt16LE(0, 22)
  let checksum = headChecksum(bytes, 0, seed, position)
  for (let at = FRAME_HEAD; at < entriesEnd; at += lengthOfEntry(bytes, at)) {
    checksum = crc32cWord(checksum, bytes.readInt32LE(at))
  }
  bytes.writeUInt32LE(checksum, 4)
}

/** Writes a frame at the start of `bytes`, which must have room for it, and returns its length. */
export function encodeFrame(
  bytes: Buffer,
  writes: readonly Write[],
  commit: number,
  seed: number,
  position: number,
): number {
  let at = FRAME_HEAD
  for (const write of writes) at = encodeEntry(bytes, at, write)
  finishFrame(bytes, at, writes.length, commit, seed, position)
  return frameLength(at - FRAME_HEAD)
}

function headChecksum(bytes: Buffer, at: number, seed: number, position: number): number {
  return crc32c(bytes, at + 8, at + FRAME_HEAD, crc32cWord(seed, position))
}

function lengthOfEntry(bytes: Buffer, at: number): number {
  return ENTRY_HEAD + bytes.readUInt16LE(at + 6) + bytes.readUInt32LE(at + 8)
}

/** `length` of a whole frame; `more` where the bytes end before the frame does; else why it is not whole. */
export type FrameCheck = number | 'more' | BadFrame
export class BadFrame {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

const NO_FRAME = new BadFrame('this is no frame')
const IMPOSSIBLE = new BadFrame('the length of the frame is impossible')
const CUT = new BadFrame('the file ends inside a frame')
const BAD_HEAD = new BadFrame('the checksum of the frame is wrong')
const BAD_ENTRY = new BadFrame('the checksum of an entry is wrong')
const BAD_ENTRIES = new BadFrame('the entries do not fill the frame')
const BAD_PADDING = new BadFrame('the padding is not zero')

/**
 * Checks every byte of the frame at `bytes[at]`.
 * @param end where the bytes end
 * @param position offset of the frame in its file
 * @param fileEnd where the file ends
 */
export function checkFrame(
  bytes: Buffer,
  at: number,
  end: number,
  seed: number,
  position: number,
  fileEnd: number,
): FrameCheck {
  if (position + FRAME_HEAD > fileEnd) return CUT
  if (at + FRAME_HEAD > end) return 'more'
  if (bytes.readUInt32LE(at) !== FRAME_MAGIC) return NO_FRAME
  const length = bytes.readUInt32LE(at + 8)
  if (length < FRAME_HEAD + ENTRY_HEAD || length % ALIGNMENT !== 0) return IMPOSSIBLE
  if (position + length > fileEnd) return CUT
  if (at + length > end) return 'more'
  const frameEnd = at + length
  const count = bytes.readUInt32LE(at + 12)
  let checksum = headChecksum(bytes, at, seed, position)
  let entry = at + FRAME_HEAD
  for (let i = 0; i < count; i++) {
    if (entry + ENTRY_HEAD > frameEnd) return BAD_ENTRIES
    const next = entry + lengthOfEntry(bytes, entry)
    if (next > frameEnd) return BAD_ENTRIES
    if (!entryIsWhole(bytes, entry, next)) return BAD_ENTRY
    checksum = crc32cWord(checksum, bytes.readInt32LE(entry))
    entry = next
  }
  if (checksum !== bytes.readUInt32LE(at + 4)) return BAD_HEAD
  if (frameEnd - entry >= ALIGNMENT) return BAD_ENTRIES
  for (; entry < frameEnd; entry++) if (bytes[entry] !== 0) return BAD_PADDING
  return length
}

export function entryIsWhole(bytes: Buffer, at: number, end: number): boolean {
  return crc32c(bytes, at + 4, end) === bytes.readUInt32LE(at)
}

export function commitOf(bytes: Buffer, frameAt: number): number {
  return bytes.readUIntLE(frameAt + 16, 6)
}

/** True where something at `at` calls itself a frame: a cheap test before `checkFrame`. */
export function looksLikeFrame(bytes: Buffer, at: number): boolean {
  return bytes.readUInt32LE(at) === FRAME_MAGIC
}

/** `at` and `length`: the whole entry in `bytes`. `key` is binary. */
export type EntryVisitor = (key: string, isPut: boolean, at: number, length: number) => void

/** Visits the entries of a frame that `checkFrame` found whole. */
export function visitEntries(bytes: Buffer, frameAt: number, visit: EntryVisitor): void {
  let count = bytes.readUInt32LE(frameAt + 12)
  for (let at = frameAt + FRAME_HEAD; count > 0; count--) {
    const length = lengthOfEntry(bytes, at)
    visit(keyOf(bytes, at), bytes[at + 4] === PUT, at, length)
    at += length
  }
}

/**
 * Visits those entries of damaged frames that are whole by themselves, wherever in `bytes` something still calls
 * itself a frame.
 */
export function visitWholeEntries(bytes: Buffer, visit: EntryVisitor): void {
  for (let at = 0; at + FRAME_HEAD <= bytes.length; ) {
    const end = looksLikeFrame(bytes, at) ? visitWholeEntriesAt(bytes, at, visit) : at + 1
    at = Math.ceil(end / ALIGNMENT) * ALIGNMENT
  }
}

function visitWholeEntriesAt(bytes: Buffer, frameAt: number, visit: EntryVisitor): number {
  let at = frameAt + FRAME_HEAD
  for (let count = bytes.readUInt32LE(frameAt + 12); count > 0 && at + ENTRY_HEAD <= bytes.length; count--) {
    const length = lengthOfEntry(bytes, at)
    if (at + length > bytes.length) break
    if (entryIsWhole(bytes, at, at + length)) visit(keyOf(bytes, at), bytes[at + 4] === PUT, at, length)
    at += length
  }
  return at
}

function keyOf(bytes: Buffer, entryAt: number): string {
  return bytes.toString(
    'latin1',
    entryAt + ENTRY_HEAD,
    entryAt + ENTRY_HEAD + bytes.readUInt16LE(entryAt + 6),
  )
}

/**
 * Keys are kept in memory as binary strings, one character a byte of UTF-8: half the size of UTF-16 where a
 * key is not Latin-1, and `<` compares them by their UTF-8 bytes, which `<` on UTF-16 does not.
 */
export function keyToBinary(key: string): string {
  return Buffer.byteLength(key) === key.length ? key : Buffer.from(key).toString('latin1')
}

export function keyFromBinary(key: string): string {
  return Buffer.from(key, 'latin1').toString()
}
