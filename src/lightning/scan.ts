/** Reads the frames of a file in order. Recovery, verify, salvage and compaction all read this way. */
import { nextTurn, readFully } from './files.js'
import { ALIGNMENT, BadFrame, checkFrame, commitOf, FRAME_HEAD, looksLikeFrame } from './format.js'

const CHUNK = 256 * 1024
const ZEROS = Buffer.alloc(CHUNK)

/** `bytes[at, at + length)` is a whole frame that lies at `position` in the file. Valid only during the call. */
export type FrameVisitor = (bytes: Buffer, at: number, length: number, position: number) => void

/** Where reading stopped; `bad` says why where that is not the end. */
export interface ScanEnd {
  readonly position: number
  readonly bad: BadFrame | undefined
}

/**
 * Visits the whole frames in `[from, end)` of a file up to the first that is not whole. Others run meanwhile.
 * @param commit the number that the first of them must have, each next one more; undefined where any will do
 */
export async function scanFrames(
  fd: number,
  seed: number,
  from: number,
  end: number,
  commit: number | undefined,
  visit: FrameVisitor,
): Promise<ScanEnd> {
  let expected = commit
  let bytes = Buffer.allocUnsafeSlow(Math.min(CHUNK, Math.max(end - from, FRAME_HEAD)))
  let position = from
  let at = 0
  let filled = 0
  while (position < end) {
    const check = checkFrame(bytes, at, filled, seed, position, end)
    if (typeof check === 'number') {
      const found = commitOf(bytes, at)
      if (expected !== undefined && found !== expected++) {
        return { position, bad: new BadFrame(`commit ${expected - 1} is expected here, this is ${found}`) }
      }
      visit(bytes, at, check, position)
      at += check
      position += check
    } else if (check === 'more') {
      if (position > from) await nextTurn()
      const rest = filled - at
      const wanted = Math.min(Math.max(CHUNK, rest * 2), end - position)
      if (wanted > bytes.length) {
        const larger = Buffer.allocUnsafeSlow(wanted)
        bytes.copy(larger, 0, at, filled)
        bytes = larger
      } else {
        bytes.copyWithin(0, at, filled)
      }
      at = 0
      filled = rest + readFully(fd, bytes.subarray(rest, wanted), position + rest)
      if (filled === rest) end = position + rest
    } else {
      return { position, bad: check }
    }
  }
  return { position, bad: undefined }
}

/**
 * The offset of the first whole frame in `[from, end)` whose commit is later than `after`.
 * Frames lie on multiples of eight, counted from the start of the file.
 */
export function findFrame(
  fd: number,
  seed: number,
  from: number,
  end: number,
  after: number,
): number | undefined {
  const start = Math.ceil(from / ALIGNMENT) * ALIGNMENT
  if (start >= end) return undefined
  const bytes = Buffer.allocUnsafeSlow(end - start)
  const filled = readFully(fd, bytes, start)
  for (let at = 0; at + FRAME_HEAD <= filled; at += ALIGNMENT) {
    if (!looksLikeFrame(bytes, at) || commitOf(bytes, at) <= after) continue
    if (typeof checkFrame(bytes, at, filled, seed, start + at, start + filled) === 'number') return start + at
  }
  return undefined
}

/** Reads the frame that begins at `position` once more. @returns its bytes; undefined where it is not whole */
export function frameAt(fd: number, seed: number, position: number, end: number): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(end - position)
  const filled = readFully(fd, bytes, position)
  const length = checkFrame(bytes, 0, filled, seed, position, position + filled)
  return typeof length === 'number' ? bytes.subarray(0, length) : undefined
}

/** Whether `[from, end)` of a file holds zeros and nothing else. */
export function isZero(fd: number, from: number, end: number): boolean {
  const bytes = Buffer.allocUnsafeSlow(Math.min(CHUNK, end - from))
  for (let at = from; at < end; ) {
    const filled = readFully(fd, bytes.subarray(0, end - at), at)
    if (filled === 0 || !bytes.subarray(0, filled).equals(ZEROS.subarray(0, filled))) return filled === 0
    at += filled
  }
  return true
}
