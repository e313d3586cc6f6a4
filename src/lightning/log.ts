/** The log and its index: segments on the disk, the place of each key in memory. Everything here blocks. */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import {
  CorruptionError,
  DiskFullError,
  errorFrom,
  IoError,
  type LightningError,
  PermissionError,
  ReadOnlyError,
  TooManyFilesError,
} from './errors.js'
import {
  closeFile,
  removeLeftover,
  renameDurably,
  syncData,
  syncDirectory,
  syncNew,
  withoutLock,
  writeFully,
} from './files.js'
import {
  type BadFrame,
  commitOf,
  encodeFrame,
  encodeHeader,
  entryLength,
  frameLength,
  HEADER_SIZE,
  MAX_SEGMENT_BYTES,
  type SegmentHeader,
  visitEntries,
  type Write,
} from './format.js'
import { KeyMap, type Place } from './key-map.js'
import { findFrame, frameAt, isZero, scanFrames } from './scan.js'
import { Segment, segmentIds, segmentName, UNFINISHED } from './segment.js'

/** What opening found that a crash or a full disk had left behind. */
export interface Recovered {
  /** A commit that was never acked, cut off (of a read-only store: skipped) at the end of the last segment. */
  readonly tornTail: { readonly file: string; readonly offset: number; readonly bytes: number } | undefined
  /** Files of an unfinished rotation or compaction. */
  readonly leftovers: readonly string[]
  /** The dead process whose lock was taken over. */
  readonly staleLock: string | undefined
}

/** A frame that was read or written. */
interface FrameAt {
  readonly position: number
  readonly length: number
}

/** Frames up to this size share one buffer. */
const SHARED_BUFFER = 1024 * 1024

/** How many bytes are made ready behind the last frame at a time. */
const ROOM = 64 * 1024
const ZEROS = Buffer.alloc(ROOM)

export class Log {
  readonly dir: string
  readonly keys = new KeyMap()
  readonly segments: Segment[] = []
  /** Why the last segment could not be opened for writing, where that was asked for. */
  unwritable: LightningError | undefined
  tornTail: Recovered['tornTail']
  leftovers: string[] = []
  /** Number of the last commit. */
  commit = 0
  /** A segment is sealed before it grows beyond this. */
  readonly segmentSize: number

  readonly #slots = new Map<number, Segment>()
  #storeId = randomBytes(16).toString('hex')
  #nextSlot = 0
  #lastFrame: FrameAt | undefined
  /** Whether the active segment still has a part of a frame behind its last one. */
  #isUncut = false
  /** Up to where the active segment holds zeros, durably, behind its last frame. */
  #roomEnd = 0
  #buffer = Buffer.allocUnsafeSlow(64 * 1024)

  private constructor(dir: string, segmentSize: number) {
    this.dir = dir
    this.segmentSize = segmentSize
  }

  /**
   * Reads all of the log and builds the index. Writes nothing.
   * @throws CorruptionError where acked data is damaged or missing
   */
  static async load(dir: string, segmentSize: number, forWriting: boolean): Promise<Log> {
    const load = () => Log.#loadOnce(dir, segmentSize, forWriting)
    const isStale = (error: unknown) =>
      error instanceof MissingSegmentError || (error instanceof IoError && error.code === 'ENOENT')
    return forWriting ? load() : withoutLock(load, isStale)
  }

  static async #loadOnce(dir: string, segmentSize: number, forWriting: boolean): Promise<Log> {
    const log = new Log(dir, segmentSize)
    try {
      log.#openSegments(forWriting)
      log.#checkSequence()
      for (const segment of log.segments) await log.#readSegment(segment, forWriting)
    } catch (error) {
      log.close()
      throw errorFrom(error, `open ${dir}`)
    }
    return log
  }

  get active(): Segment | undefined {
    const last = this.segments.at(-1)
    return last?.isSealed ? undefined : last
  }

  #openSegments(forWriting: boolean): void {
    const names = fs.readdirSync(this.dir)
    const ids = segmentIds(names)
    this.leftovers = names.filter((name) => name.endsWith(UNFINISHED)).map((name) => join(this.dir, name))
    for (const id of ids) {
      const path = join(this.dir, segmentName(id))
      // Compaction gave the file of the first segment of a run the content of all: the others are left over.
      if (id <= (this.segments.at(-1)?.header.lastId ?? 0)) {
        this.leftovers.push(path)
        continue
      }
      const isLast = id === ids.at(-1)
      const segment = forWriting && isLast ? this.#openLast(path) : this.#open(path, 'r')
      // a compaction of whoever holds the lock may put another file under its name
      if (forWriting) segment.relax()
      else segment.pin()
      this.segments.push(segment)
    }
    for (const segment of this.segments) this.#slots.set(segment.slot, segment)
    this.#storeId = this.segments[0]?.header.storeId ?? this.#storeId
  }

  #open(path: string, flags: 'r' | 'r+'): Segment {
    return Segment.open(path, this.#nextSlot++, flags)
  }

  #openLast(path: string): Segment {
    try {
      const segment = this.#open(path, 'r+')
      segment.isSealed = false
      return segment
    } catch (error) {
      const refusal = errorFrom(error, `open ${path} for writing`)
      if (!(refusal instanceof PermissionError || refusal instanceof ReadOnlyError)) throw refusal
      this.unwritable = refusal
      return this.#open(path, 'r')
    }
  }

  /** The segments must follow each other without a gap, from the first, and the last must not be a compacted one. */
  #checkSequence(): void {
    let expected = 1
    for (const { path, header } of this.segments) {
      if (header.storeId !== this.#storeId) throw new CorruptionError(path, 16, 'it belongs to another store')
      if (header.firstId !== expected) {
        const missing = join(this.dir, segmentName(expected))
        throw new MissingSegmentError(missing, 0, `the segment is missing; the next one is ${path}`)
      }
      expected = header.lastId + 1
    }
    if (this.segments.at(-1)?.header.compacted) {
      const missing = join(this.dir, segmentName(expected))
      throw new MissingSegmentError(missing, 0, 'the segment is missing')
    }
  }

  async #readSegment(segment: Segment, forWriting: boolean): Promise<void> {
    const { path, header } = segment
    if (header.firstCommit !== this.commit + 1) {
      const before = this.segments[this.segments.indexOf(segment) - 1]
      const reason = `commits ${this.commit + 1} to ${header.firstCommit - 1} are missing`
      throw new CorruptionError(before?.path ?? path, before?.size ?? 0, reason)
    }
    let bad = await this.#readFrames(segment)
    while (bad !== undefined) {
      const damage = this.#judgeTail(segment, bad.reason)
      if (damage === undefined) break
      const { size } = segment
      // A reader takes no lock: whoever writes may have come to the end of that frame meanwhile, and gone on.
      if (!forWriting) bad = await this.#readFrames(segment)
      if (segment.size === size) throw damage
    }
    if (bad === undefined && header.compacted && segment.size !== header.length) {
      const reason = `the segment should end at byte ${header.length}`
      throw new CorruptionError(path, Math.min(segment.size, header.length), reason)
    }
    this.commit = segment.lastCommit
    segment.relax()
  }

  /** Reads on from where the segment was read to. @returns why it does not end there; undefined where it does */
  async #readFrames(segment: Segment): Promise<BadFrame | undefined> {
    const { fd, seed, size, lastCommit, header } = segment
    const next = header.compacted ? undefined : lastCommit + 1
    const end = await scanFrames(fd, seed, size, segment.fileSize(), next, (bytes, at, length, position) => {
      this.#apply(segment, bytes, at, position)
      this.#lastFrame = { position, length }
    })
    segment.size = end.position
    return end.bad
  }

  /**
   * Only one commit is ever written and not yet durable, so a power cut can leave nothing but one broken frame at
   * the very end, and zeros. Anything else was durable once.
   * @returns the damage; undefined where there is none, and `tornTail` says what is behind the last commit
   */
  #judgeTail(segment: Segment, reason: string): CorruptionError | undefined {
    const { fd, seed, size, lastCommit, path } = segment
    const fileSize = segment.fileSize()
    const isLast = segment === this.segments.at(-1)
    if (!isLast || findFrame(fd, seed, size + 1, fileSize, lastCommit) !== undefined) {
      return new CorruptionError(path, size, reason)
    }
    const again = frameAt(fd, seed, size, fileSize)
    if (again !== undefined && commitOf(again, 0) === lastCommit + 1) return unsteady(path, size)
    // what is not zero: those are room that was made ready for what comes next
    if (!isZero(fd, size, fileSize)) this.tornTail = { file: path, offset: size, bytes: fileSize - size }
    return undefined
  }

  /**
   * Makes what was read durable and the log ready for writing: what is behind the last commit is cut off, that commit is written
   * once more in its place, and the directory is synced; the one above it where there is nothing in the log yet. A process
   * that died, or a sync that failed, may have left them in memory only, on pages that the kernel already calls clean.
   * @throws LightningError where that is refused; the log then can be read, but not written
   */
  repair(): void {
    if (this.unwritable !== undefined) throw this.unwritable
    const { active } = this
    try {
      // the rename that put a compacted file in the place of others has to be durable before they go
      if (this.leftovers.some((path) => !path.endsWith(UNFINISHED))) syncDirectory(this.dir)
      for (const path of this.leftovers) removeLeftover(path)
      if (active === undefined) {
        syncNew(this.dir)
        return
      }
      if (active.fileSize() > active.size) this.#cutOff(active)
      this.#roomEnd = active.size
      if (this.#lastFrame !== undefined && active.size > HEADER_SIZE) this.#rewrite(active, this.#lastFrame)
      syncData(active.fd, active.path)
      syncDirectory(this.dir)
    } catch (error) {
      throw errorFrom(error, `make ${active?.path ?? this.dir} ready for writing`)
    }
  }

  #rewrite(segment: Segment, { position, length }: FrameAt): void {
    const bytes = frameAt(segment.fd, segment.seed, position, position + length)
    if (bytes === undefined) throw unsteady(segment.path, position)
    const { error } = writeFully(segment.fd, bytes, position)
    // A file system that writes elsewhere (btrfs) may have no room for it; then syncing what is there has to do.
    if (error !== undefined && !(errorFrom(error, 'write') instanceof DiskFullError)) throw error
  }

  /**
   * Appends a commit and makes it durable; then, not before, the index shows it.
   * @throws DiskFullError, TooManyFilesError: nothing changed. PermissionError, ReadOnlyError: it did not happen,
   *   and the log must not be written any more. IoError: it may have happened, and the log must not be written
   */
  append(writes: readonly Write[]): void {
    const length = frameLength(writes.reduce((sum, write) => sum + entryLength(write), 0))
    const bytes = this.#bufferFor(length)
    for (let isRetry = false; ; isRetry = true) {
      const segment = this.#segmentFor(length)
      try {
        this.#makeRoom(segment, length)
        encodeFrame(bytes, writes, this.commit + 1, segment.seed, segment.size)
        this.#write(segment, bytes, segment.size)
      } catch (error) {
        const mayFitElsewhere = error instanceof DiskFullError && error.code === 'EFBIG'
        if (!mayFitElsewhere || isRetry || segment.size === HEADER_SIZE) throw error
        // This file may grow no further (RLIMIT_FSIZE); another one may.
        this.rotate()
        continue
      }
      this.#apply(segment, bytes, 0, segment.size)
      segment.size += length
      this.commit = segment.lastCommit
      return
    }
  }

  /**
   * Has zeros, and the blocks that they are on, durable before a frame is written over them. So syncing a frame is no
   * matter of metadata, which is faster by a third; and a write that the disk failed can be written again. In a new
   * block of ext4 it cannot: the block then never counts as written, and what is synced there later is gone after the
   * next mount.
   * @throws DiskFullError where there is none
   */
  #makeRoom(segment: Segment, length: number): void {
    const end = segment.size + length
    if (end <= this.#roomEnd) return
    const size = Math.max(end, Math.min(this.#roomEnd + ROOM, this.segmentSize)) - this.#roomEnd
    const zeros = size <= ROOM ? ZEROS.subarray(0, size) : Buffer.alloc(size)
    this.#roomEnd += this.#write(segment, zeros, this.#roomEnd, end - this.#roomEnd)
  }

  /**
   * Writes behind the last frame and syncs.
   * @returns how many bytes: all, or on a full disk what fitted, where that is `enough`
   * @throws DiskFullError: what fitted was cut off again, and all room with it
   */
  #write(segment: Segment, bytes: Buffer, position: number, enough = bytes.length): number {
    const { written, error } = writeFully(segment.fd, bytes, position)
    if (error !== undefined) {
      const refusal = errorFrom(error, `append to ${segment.path}`)
      if (!(refusal instanceof DiskFullError)) throw refusal
      if (written < enough) {
        if (written > 0) this.#cutOff(segment)
        throw refusal
      }
    }
    syncData(segment.fd, segment.path)
    return written
  }

  #bufferFor(length: number): Buffer {
    if (length > SHARED_BUFFER) return Buffer.allocUnsafeSlow(length)
    if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(SHARED_BUFFER)
    return this.#buffer.subarray(0, length)
  }

  /** The segment that the next frame goes to: a new one where the active one is large enough and there is room. */
  #segmentFor(length: number): Segment {
    const { active } = this
    if (active === undefined) return this.rotate()
    this.#finishCut(active)
    if (active.size === HEADER_SIZE || active.size + length <= this.segmentSize) return active
    try {
      return this.rotate()
    } catch (error) {
      const canWait = error instanceof DiskFullError || error instanceof TooManyFilesError
      if (!canWait || active.size + length > MAX_SEGMENT_BYTES) throw error
      return active
    }
  }

  /**
   * Takes what is behind the last frame off the file again, so that nothing ever follows a broken frame. A file system
   * that writes elsewhere (btrfs) may have no room even for that: then it is done before the next write.
   */
  #cutOff(segment: Segment): void {
    this.#isUncut = true
    try {
      this.#finishCut(segment)
    } catch (error) {
      if (!(error instanceof DiskFullError)) throw error
    }
  }

  /** @throws LightningError as `#cut` does */
  #finishCut(segment: Segment): void {
    if (this.#isUncut) this.#cut(segment)
  }

  /**
   * @throws DiskFullError where there is no room to cut, PermissionError and ReadOnlyError where that is not permitted: the
   *   next open does it; IoError where nobody knows what is on the disk now
   */
  #cut(segment: Segment): void {
    try {
      fs.ftruncateSync(segment.fd, segment.size)
    } catch (error) {
      throw errorFrom(error, `cut off what is behind the last commit in ${segment.path}`)
    }
    syncData(segment.fd, segment.path)
    this.#isUncut = false
    this.#roomEnd = segment.size
  }

  /** Cuts off the room that nothing was written to, where that is possible. */
  giveRoomBack(): void {
    const { active } = this
    if (active === undefined || active.size >= this.#roomEnd) return
    try {
      fs.ftruncateSync(active.fd, active.size)
    } catch {
      // zeros behind the last frame are no damage
    }
  }

  /**
   * Seals the active segment and begins a new one.
   * @throws LightningError; unless it is an IoError, nothing changed
   */
  rotate(): Segment {
    const previous = this.segments.at(-1)
    if (previous !== undefined && (this.#isUncut || this.#roomEnd > previous.size)) this.#cut(previous)
    const id = (previous?.header.lastId ?? 0) + 1
    const segment = this.create({
      compacted: false,
      storeId: this.#storeId,
      firstId: id,
      lastId: id,
      firstCommit: this.commit + 1,
      lastCommit: 0,
      length: 0,
      cleanAsOf: 0,
    })
    if (previous !== undefined) previous.isSealed = true
    segment.isSealed = false
    this.segments.push(segment)
    this.#roomEnd = HEADER_SIZE
    return segment
  }

  /** A new segment under its final name, durable. `fd`: a file that has everything but the header. */
  create(header: SegmentHeader, fd = this.createUnfinished(header.firstId)): Segment {
    const path = join(this.dir, segmentName(header.firstId))
    const unfinished = path + UNFINISHED
    try {
      const { error } = writeFully(fd, encodeHeader(header), 0)
      if (error !== undefined) throw error
      syncData(fd, unfinished)
      renameDurably(unfinished, path)
    } catch (error) {
      closeFile(fd)
      removeLeftover(unfinished)
      throw errorFrom(error, `create ${path}`)
    }
    const segment = new Segment(path, header, this.#nextSlot++, fd)
    this.#slots.set(segment.slot, segment)
    return segment
  }

  /** Opens the file that is to become segment `id`. */
  createUnfinished(id: number): number {
    const path = join(this.dir, segmentName(id)) + UNFINISHED
    try {
      return fs.openSync(path, 'w+')
    } catch (error) {
      throw errorFrom(error, `create ${path}`)
    }
  }

  /** Puts a compacted segment in the place of those whose content it holds. */
  replace(run: readonly Segment[], segment: Segment): void {
    this.segments.splice(this.segments.indexOf(run[0]!), run.length, segment)
    for (const old of run) {
      this.#slots.delete(old.slot)
      old.close()
      if (old.path !== segment.path) removeLeftover(old.path)
    }
  }

  /** Shows the entries of a whole frame in the index. */
  #apply(segment: Segment, bytes: Buffer, at: number, position: number): void {
    visitEntries(bytes, at, (key, isPut, entryAt, length) => {
      const previous = isPut
        ? this.keys.set(key, segment.slot, position + entryAt - at, length)
        : this.keys.delete(key)
      if (previous !== undefined) this.#slots.get(previous.slot)!.liveBytes -= previous.length
      segment.entryBytes += length
      if (isPut) segment.liveBytes += length
    })
    if (!segment.header.compacted) segment.lastCommit++
  }

  /** @throws CorruptionError, IoError, PermissionError, TooManyFilesError */
  read(place: Place): Buffer {
    return this.#slots.get(place.slot)!.readValue(place.offset, place.length)
  }

  close(): void {
    for (const segment of this.segments) segment.close()
  }
}

/** Damage; to a reader without a lock it may look so, too, where a compaction came between. */
class MissingSegmentError extends CorruptionError {
  override readonly name = CorruptionError.name
}

/** What was whole a moment ago, or broken: what is written back then would be damage that is there to stay. */
function unsteady(path: string, position: number): CorruptionError {
  return new CorruptionError(path, position, 'the last commit reads differently each time')
}
