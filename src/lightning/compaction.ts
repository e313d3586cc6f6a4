/**
 * Compaction rewrites runs of adjacent segments without the entries that no longer count, one run at a time, each
 * crash-safely: a new file, made durable, renamed over the first of the run; only then the others are removed.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import { CorruptionError, DiskFullError, errorFrom, IoError } from './errors.js'
import { closeFile, removeLeftover, writeFully } from './files.js'
import {
  FRAME_HEAD,
  finishFrame,
  frameLength,
  frameSeed,
  HEADER_SIZE,
  type SegmentHeader,
  visitEntries,
} from './format.js'
import type { Log } from './log.js'
import { scanFrames } from './scan.js'
import { type Segment, segmentName, UNFINISHED } from './segment.js'

/** Entries are gathered into frames of about this many bytes. */
const FRAME_TARGET = 64 * 1024

/** What compaction needs of the store. */
export interface CompactionHost {
  readonly log: Log
  /** Gives up the reserve; false where there is none left. */
  makeRoom(): boolean
  /** Throws where the store was closed or became read-only meanwhile. */
  assertWritable(): void
}

/**
 * Compacts all sealed segments that hold something dead or are small enough to be merged.
 * @throws DiskFullError where some runs did not fit; the others were compacted
 */
export async function compactLog(host: CompactionHost): Promise<void> {
  const { log } = host
  const sealed = log.segments.filter((segment) => segment.isSealed)
  const runs = planRuns(sealed, log.segmentSize)
  let full: DiskFullError | undefined
  for (let run = runs.shift(); run !== undefined; run = runs.shift()) {
    host.assertWritable()
    try {
      await compactRun(host, run)
    } catch (error) {
      if (!(error instanceof DiskFullError)) throw error
      // What a file may not hold together (RLIMIT_FSIZE) it may hold apart.
      if (error.code === 'EFBIG' && run.length > 1) runs.unshift(...run.flatMap((one) => planRuns([one], 0)))
      else full = error
    }
  }
  if (full !== undefined) throw full
}

/** Runs of adjacent segments whose live entries fit into one file, where rewriting them gains something. */
function planRuns(sealed: readonly Segment[], target: number): Segment[][] {
  const runs: Segment[][] = []
  let bytes = 0
  for (const segment of sealed) {
    const run = runs.at(-1)
    if (run === undefined || bytes + segment.liveBytes > target - HEADER_SIZE) {
      runs.push([segment])
      bytes = segment.liveBytes
    } else {
      run.push(segment)
      bytes += segment.liveBytes
    }
  }
  return runs.filter((run) => run.length > 1 || !run[0]!.isAllLive)
}

/** An entry that was copied: the key, and where it lay and lies now. */
interface Move {
  readonly key: string
  readonly from: { readonly slot: number; readonly offset: number }
  readonly offset: number
  readonly length: number
}

async function compactRun(host: CompactionHost, run: readonly Segment[]): Promise<void> {
  const { log } = host
  const replaced = run[0]!
  const first = replaced.header
  const last = run.at(-1)!
  const cleanAsOf = log.commit
  const identity = { storeId: first.storeId, firstId: first.firstId, lastId: last.header.lastId }
  const unfinished = join(log.dir, segmentName(first.firstId)) + UNFINISHED
  const fd = withRoom(host, () => log.createUnfinished(first.firstId))
  const out = new Output(host, fd, unfinished, frameSeed(identity), last.lastCommit)
  try {
    out.reserveHeader()
    const keepDeletes = !isNothingOlder(log, run)
    for (const segment of run) await copyEntries(log, segment, keepDeletes, out)
    out.flush()
    await syncOff(fd, unfinished)
    host.assertWritable()
    replaced.pin()
  } catch (error) {
    closeFile(fd)
    removeLeftover(unfinished)
    throw errorFrom(error, `compact ${replaced.path}`)
  }
  const header = {
    ...identity,
    compacted: true,
    firstCommit: first.firstCommit,
    lastCommit: last.lastCommit,
    length: out.position,
    cleanAsOf,
  }
  const segment = createInPlace(log, replaced, header, fd)
  segment.size = out.position
  segment.entryBytes = out.entryBytes
  for (const { key, from, offset, length } of out.moves) {
    const place = log.keys.get(key)
    if (place === undefined || place.slot !== from.slot || place.offset !== from.offset) continue
    log.keys.set(key, segment.slot, offset, length)
    segment.liveBytes += length
  }
  log.replace(run, segment)
}

/** Where it is not known whether the rename is durable, what is in the old file is still read: by its descriptor. */
function createInPlace(log: Log, replaced: Segment, header: SegmentHeader, fd: number): Segment {
  try {
    return log.create(header, fd)
  } catch (error) {
    if (!(error instanceof IoError)) replaced.unpin()
    throw error
  }
}

/**
 * True where no segment before the run can hold a value of a key that was deleted in the run. Such a value is
 * gone from a segment that was compacted since, and was never in one of which every entry is live.
 */
function isNothingOlder(log: Log, run: readonly Segment[]): boolean {
  const older = log.segments.slice(0, log.segments.indexOf(run[0]!))
  const { lastCommit } = run.at(-1)!
  return older.every((segment) => segment.isAllLive || segment.header.cleanAsOf >= lastCommit)
}

async function copyEntries(log: Log, segment: Segment, keepDeletes: boolean, out: Output): Promise<void> {
  const { slot, size, header } = segment
  const commit = header.compacted ? undefined : header.firstCommit
  const end = await scanFrames(
    segment.pin(),
    segment.seed,
    HEADER_SIZE,
    size,
    commit,
    (bytes, frameAt, _, position) => {
      visitEntries(bytes, frameAt, (key, isPut, at, length) => {
        const offset = position + at - frameAt
        const place = log.keys.get(key)
        if (isPut && place?.slot === slot && place.offset === offset) {
          const move = { key, from: { slot, offset }, offset: out.add(bytes, at, length), length }
          out.moves.push(move)
        } else if (!isPut && keepDeletes && place === undefined) {
          out.add(bytes, at, length)
        }
      })
    },
  ).finally(() => segment.unpin())
  const damage = end.bad?.reason ?? (end.position < size ? 'the file ends before its last commit' : undefined)
  if (damage !== undefined) throw new CorruptionError(segment.path, end.position, damage)
}

/** Gathers entries into frames behind the place of the header. */
class Output {
  readonly moves: Move[] = []
  position = HEADER_SIZE
  entryBytes = 0
  readonly #host: CompactionHost
  readonly #fd: number
  readonly #path: string
  readonly #seed: number
  readonly #commit: number
  #bytes = Buffer.allocUnsafeSlow(2 * FRAME_TARGET)
  #end = FRAME_HEAD
  #count = 0

  constructor(host: CompactionHost, fd: number, path: string, seed: number, commit: number) {
    this.#host = host
    this.#fd = fd
    this.#path = path
    this.#seed = seed
    this.#commit = commit
  }

  /** Adds the entry at `bytes[at]` as it is, checksum and all, and returns its offset in the new file. */
  add(bytes: Buffer, at: number, length: number): number {
    if (this.#end + length > FRAME_TARGET) this.flush()
    if (frameLength(length) > this.#bytes.length) this.#bytes = Buffer.allocUnsafeSlow(frameLength(length))
    bytes.copy(this.#bytes, this.#end, at, at + length)
    const offset = this.position + this.#end
    this.#end += length
    this.#count++
    this.entryBytes += length
    return offset
  }

  /** @throws DiskFullError where the frame does not fit even with the reserve */
  flush(): void {
    if (this.#count === 0) return
    const length = frameLength(this.#end - FRAME_HEAD)
    finishFrame(this.#bytes, this.#end, this.#count, this.#commit, this.#seed, this.position)
    const frame = this.#bytes.subarray(0, length)
    this.#write(frame, this.position)
    this.position += length
    this.#end = FRAME_HEAD
    this.#count = 0
  }

  /** Takes the room for the header, which is written last: it says how long the file became. */
  reserveHeader(): void {
    this.#write(Buffer.alloc(HEADER_SIZE), 0)
  }

  #write(bytes: Buffer, position: number): void {
    withRoom(this.#host, () => {
      const { error } = writeFully(this.#fd, bytes, position)
      if (error !== undefined) throw errorFrom(error, `write ${this.#path}`)
    })
  }
}

/** Does `work`; where there is no room for it, gives up the reserve and does it again. */
export function withRoom<T>(host: Pick<CompactionHost, 'makeRoom'>, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof DiskFullError) || !host.makeRoom()) throw error
    return work()
  }
}

/**
 * Makes a file durable on another thread, for nobody waits for it. Where that fails the file is thrown away, and no
 * acked data was in it alone, so a full disk may be called that here.
 */
function syncOff(fd: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fdatasync(fd, (error) => (error === null ? resolve() : reject(errorFrom(error, `sync ${path}`))))
  })
}
