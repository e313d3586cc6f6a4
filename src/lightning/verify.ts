/**
 * Reading past damage: what `verify` lists and `salvage` steps over. It reads the files only, so it does not matter
 * whether a store is open, here or elsewhere.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import { CorruptionError, errorFrom } from './errors.js'
import { readFully } from './files.js'
import { commitOf, HEADER_SIZE } from './format.js'
import type { Recovered } from './log.js'
import { type FrameVisitor, findFrame, scanFrames } from './scan.js'
import { Segment, segmentIds, segmentName } from './segment.js'

export interface Damage {
  readonly file: string
  readonly offset: number
  /** How many bytes can't be read as what they were; 0 where bytes are missing. */
  readonly bytes: number
  readonly reason: string
}

export interface Verification {
  readonly damage: readonly Damage[]
  /** An unfinished commit at the end of the log. No damage: the next open for writing cuts it off. */
  readonly tornTail: Recovered['tornTail']
  readonly segments: number
  /** Frames that are whole. */
  readonly frames: number
}

/** What to do with what is read, in the order of the log. */
export interface LogReader {
  readonly whole: FrameVisitor
  /** Bytes between whole frames. */
  readonly damaged: (bytes: Buffer) => void
}

/** Reads all of the log in `dir` and lists all damage. @throws LightningError where it can't be read */
export function verify(dir: string): Promise<Verification> {
  return readPastDamage(dir, { whole: () => {}, damaged: () => {} })
}

/** Reads all of the log in `dir`, handing on what is whole and what is not. */
export async function readPastDamage(dir: string, reader: LogReader): Promise<Verification> {
  const damage: Damage[] = []
  let tornTail: Recovered['tornTail']
  let frames = 0
  let segments: Segment[] = []
  try {
    segments = openAll(dir, damage)
    let commit = 0
    for (const [i, segment] of segments.entries()) {
      const { header, path } = segment
      const isLast = i === segments.length - 1
      const known = damage.length
      if (header.firstCommit > commit + 1) {
        damage.push(
          missing(segments[i - 1]?.path ?? path, segments[i - 1]?.size ?? 0, commit, header.firstCommit),
        )
      }
      commit = Math.max(commit, header.firstCommit - 1)
      const end = segment.fileSize()
      for (segment.size = HEADER_SIZE; segment.size < end; ) {
        const stop = await scanFrames(segment.fd, segment.seed, segment.size, end, undefined, (...frame) => {
          const found = commitOf(frame[0], frame[1])
          if (!header.compacted && found > commit + 1 && damage.length === known) {
            damage.push(missing(path, frame[3], commit, found))
          }
          commit = Math.max(commit, found)
          frames++
          reader.whole(...frame)
        })
        segment.size = stop.position
        if (stop.bad === undefined) break
        const next = findFrame(segment.fd, segment.seed, stop.position + 1, end, 0)
        const bytes = (next ?? end) - stop.position
        if (isLast && next === undefined) {
          tornTail = { file: path, offset: stop.position, bytes }
          break
        }
        damage.push({ file: path, offset: stop.position, bytes, reason: stop.bad.reason })
        reader.damaged(readRange(segment.fd, stop.position, bytes))
        segment.size += bytes
      }
      if (header.compacted && segment.size < header.length) {
        const reason = `${header.length - segment.size} bytes are missing`
        damage.push({ file: path, offset: segment.size, bytes: 0, reason })
      }
      commit = Math.max(commit, header.lastCommit)
      segment.relax()
    }
    return { damage, tornTail, segments: segments.length, frames }
  } catch (error) {
    throw errorFrom(error, `read ${dir}`)
  } finally {
    for (const segment of segments) segment.close()
  }
}

/** Opens the segments that count, in order, and notes which are missing. */
function openAll(dir: string, damage: Damage[]): Segment[] {
  const segments: Segment[] = []
  const ids = segmentIds(fs.readdirSync(dir))
  let expected = 1
  for (const [i, id] of ids.entries()) {
    if (id < expected) continue
    if (id > expected) {
      const file = join(dir, segmentName(expected))
      damage.push({
        file,
        offset: 0,
        bytes: 0,
        reason: `the segment is missing; the next one is ${segmentName(id)}`,
      })
    }
    const segment = openAnyway(join(dir, segmentName(id)), id, ids[i + 1] ?? id + 1, segments[0], damage)
    segments.push(segment)
    segment.relax()
    expected = segment.header.lastId + 1
  }
  if (segments.at(-1)?.header.compacted) {
    damage.push({
      file: join(dir, segmentName(expected)),
      offset: 0,
      bytes: 0,
      reason: 'the segment is missing',
    })
  }
  return segments
}

/** Opens a segment; where its header is damaged, with the one that it must have had. */
function openAnyway(
  path: string,
  id: number,
  next: number,
  other: Segment | undefined,
  damage: Damage[],
): Segment {
  try {
    return Segment.open(path, 0, 'r')
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    const fd = fs.openSync(path, 'r')
    const bytes = readRange(fd, 0, HEADER_SIZE)
    damage.push({ file: path, offset: 0, bytes: bytes.length, reason: error.reason })
    const header = {
      compacted: false,
      storeId: other?.header.storeId ?? bytes.toString('hex', 16, 32),
      firstId: id,
      lastId: next - 1,
      firstCommit: 0,
      lastCommit: 0,
      length: 0,
      cleanAsOf: 0,
    }
    return new Segment(path, header, 0, fd)
  }
}

function missing(file: string, offset: number, last: number, next: number): Damage {
  return { file, offset, bytes: 0, reason: `commits ${last + 1} to ${next - 1} are missing` }
}

function readRange(fd: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  return bytes.subarray(0, readFully(fd, bytes, position))
}
