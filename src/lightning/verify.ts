/**
 * Reading past damage: what `verify` lists and `salvage` steps over. It reads the files only, so it does not matter
 * whether a store is open, here or elsewhere.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import { CorruptionError, errorFrom } from './errors.js'
import { closeFile, readFully, withoutLock } from './files.js'
import { commitOf, decodeHeader, HEADER_SIZE, type SegmentHeader } from './format.js'
import type { Recovered } from './log.js'
import { type FrameVisitor, findFrame, frameAt, isZero, scanFrames } from './scan.js'
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
  try {
    let reading = await withoutLock(async () => Reading.begin(dir, reader))
    // a compaction may have come between the listing and the opening
    for (let again = 0; again < LISTINGS && reading.missesSegments; again++) {
      reading.close()
      reading = await withoutLock(async () => Reading.begin(dir, reader))
    }
    return await reading.run().finally(() => reading.close())
  } catch (error) {
    throw errorFrom(error, `read ${dir}`)
  }
}

class Reading {
  readonly #dir: string
  readonly #reader: LogReader
  readonly #segments: Segment[] = []
  readonly #damage: Damage[] = []
  /** Segments whose header is damaged: where frames do not fit the one that was made up, that is no torn tail. */
  readonly #guessed = new Set<Segment>()
  #tornTail: Recovered['tornTail']
  #frames = 0
  /** Where it was read again last, and how often without coming further. */
  #again = { position: -1, times: 0 }
  /** The commit read last, and whether what follows it was found to be damaged: then a gap is no news. */
  #commit = 0
  #isAfterDamage = false

  private constructor(dir: string, reader: LogReader) {
    this.#dir = dir
    this.#reader = reader
  }

  /** Opens the segments that count. */
  static begin(dir: string, reader: LogReader): Reading {
    const reading = new Reading(dir, reader)
    try {
      reading.#openSegments()
      return reading
    } catch (error) {
      reading.close()
      throw error
    }
  }

  /** In order; notes which are missing. */
  #openSegments(): void {
    const ids = segmentIds(fs.readdirSync(this.#dir))
    const storeId = this.#storeIdOf(ids)
    let expected = 1
    for (const [i, id] of ids.entries()) {
      if (id < expected) continue
      if (id > expected) this.#noteMissingSegment(expected)
      const segment = this.#open(id, ids[i + 1] ?? id + 1, storeId)
      segment.pin()
      this.#segments.push(segment)
      expected = segment.header.lastId + 1
    }
    if (this.#segments.at(-1)?.header.compacted) this.#noteMissingSegment(expected)
  }

  /** The store's id, from the first header that is whole. */
  #storeIdOf(ids: readonly number[]): string {
    for (const id of ids) {
      const header = decodeHeader(headerOf(join(this.#dir, segmentName(id))))
      if (typeof header !== 'string') return header.storeId
    }
    return NO_HEADER.storeId
  }

  /** Before anything is read: whether one that was listed, or follows a compacted one, is not there. */
  get missesSegments(): boolean {
    return this.#damage.some(({ reason }) => reason === MISSING)
  }

  async run(): Promise<Verification> {
    for (const segment of this.#segments) await this.#read(segment)
    const { length: segments } = this.#segments
    return { damage: this.#damage, tornTail: this.#tornTail, segments, frames: this.#frames }
  }

  close(): void {
    for (const segment of this.#segments) segment.close()
  }

  /** Opens a segment; where its header is damaged, with the one that it must have had. */
  #open(id: number, next: number, storeId: string): Segment {
    const path = join(this.#dir, segmentName(id))
    try {
      return Segment.open(path, 0, 'r')
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      this.#note(path, 0, headerOf(path).length, error.reason)
      const header = { ...NO_HEADER, storeId, firstId: id, lastId: next - 1 }
      const segment = new Segment(path, header, 0, fs.openSync(path, 'r'))
      this.#guessed.add(segment)
      return segment
    }
  }

  async #read(segment: Segment): Promise<void> {
    const { header, path } = segment
    const previous = this.#segments[this.#segments.indexOf(segment) - 1]
    this.#expect(header.firstCommit, previous?.path ?? path, previous?.size ?? 0)
    const end = segment.fileSize()
    for (segment.size = HEADER_SIZE; segment.size < end; ) segment.size = await this.#readRun(segment, end)
    if (header.compacted && segment.size < header.length) {
      this.#note(path, segment.size, 0, `${header.length - segment.size} bytes are missing`)
    }
    this.#commit = Math.max(this.#commit, header.lastCommit)
    segment.close()
  }

  /** Reads whole frames and what damage follows them; returns where that ends. */
  async #readRun(segment: Segment, end: number): Promise<number> {
    const { fd, seed, size, header, path } = segment
    const stop = await scanFrames(fd, seed, size, end, undefined, (bytes, at, length, position) => {
      const commit = commitOf(bytes, at)
      if (!header.compacted) this.#expect(commit, path, position)
      this.#commit = Math.max(this.#commit, commit)
      this.#isAfterDamage = false
      this.#frames++
      this.#reader.whole(bytes, at, length, position)
    })
    if (stop.bad === undefined) return end
    const next = findFrame(fd, seed, stop.position + 1, end, 0)
    const bytes = (next ?? end) - stop.position
    if (segment === this.#segments.at(-1)) {
      // whoever writes may have come to the end of that frame meanwhile, and gone on
      const again = frameAt(fd, seed, stop.position, next ?? segment.fileSize())
      if (again !== undefined && stop.position + again.length > end) return end
      if (again !== undefined && this.#isNews(stop.position)) return stop.position
      if (next === undefined && !this.#guessed.has(segment)) {
        if (!isZero(fd, stop.position, end)) this.#tornTail = { file: path, offset: stop.position, bytes }
        return end
      }
    }
    this.#note(path, stop.position, bytes, stop.bad.reason)
    this.#reader.damaged(readRange(fd, stop.position, bytes))
    return stop.position + bytes
  }

  /** A block that reads differently each time is read a few times more. */
  #isNews(position: number): boolean {
    this.#again = { position, times: this.#again.position === position ? this.#again.times + 1 : 0 }
    return this.#again.times < MOST_TIMES
  }

  #expect(commit: number, file: string, offset: number): void {
    const first = this.#commit + 1
    if (commit <= first || this.#isAfterDamage) return
    this.#note(file, offset, 0, `commits ${first} to ${commit - 1} are missing`)
  }

  #noteMissingSegment(id: number): void {
    this.#note(join(this.#dir, segmentName(id)), 0, 0, MISSING)
  }

  #note(file: string, offset: number, bytes: number, reason: string): void {
    this.#damage.push({ file, offset, bytes, reason })
    this.#isAfterDamage = true
  }
}

const MISSING = 'the segment is missing'
const LISTINGS = 4
const MOST_TIMES = 5

const NO_HEADER: SegmentHeader = {
  compacted: false,
  storeId: '00'.repeat(16),
  firstId: 0,
  lastId: 0,
  firstCommit: 0,
  lastCommit: 0,
  length: 0,
  cleanAsOf: 0,
}

/** As many of its bytes as there are. */
function headerOf(path: string): Buffer {
  const fd = fs.openSync(path, 'r')
  try {
    return readRange(fd, 0, HEADER_SIZE)
  } finally {
    closeFile(fd)
  }
}

function readRange(fd: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  return bytes.subarray(0, readFully(fd, bytes, position))
}
