import fs from 'node:fs'
import { compactLog, withRoom } from './compaction.js'
import {
  ClosedError,
  DiskFullError,
  errorFrom,
  IoError,
  type LightningError,
  LockedError,
  PermissionError,
  ReadOnlyError,
  TooManyFilesError,
  UsageError,
} from './errors.js'
import { makeDirectory } from './files.js'
import {
  entryLength,
  frameLength,
  keyFromBinary,
  keyToBinary,
  MAX_FRAME_BYTES,
  MAX_KEY_BYTES,
  type Write,
} from './format.js'
import { Lock } from './lock.js'
import { Log, type Recovered } from './log.js'
import { Reserve } from './reserve.js'
import { type Verification, verify } from './verify.js'

export interface OpenOptions {
  /** Take no lock, write nothing, see the store as it is now. */
  readonly readOnly?: boolean
  /** A segment is sealed when it has about this many bytes. Default 8 MiB. */
  readonly segmentSize?: number
  /** Bytes set aside so that deletes and compaction work on a full disk. Default 1.25 segments. */
  readonly reserveSize?: number
}

export type Mode = 'read-write' | 'read-only'
export type Value = string | Uint8Array
export type BatchWrite =
  | readonly [op: 'put', key: string, value: Value]
  | readonly [op: 'delete', key: string]

export interface Stats {
  readonly keys: number
  readonly commits: number
  readonly segments: number
  /** Size of all segments, and of the entries in them that count, in bytes. */
  readonly bytes: number
  readonly liveBytes: number
  /** Bytes that are set aside for deletes and compaction on a full disk. */
  readonly reserveBytes: number
}

const DEFAULT_SEGMENT_SIZE = 8 * 1024 * 1024
const SMALLEST_SEGMENT = 4 * 1024
const LARGEST_SEGMENT = 1024 * 1024 * 1024
/** Requests that wait together become one commit of up to this many bytes. */
const MAX_GROUP_BYTES = 1024 * 1024
/** Commits of a lone writer, one after the other, before whoever else waits for the event loop has a turn. */
const MOST_IN_A_TURN = 8
/** Has no UTF-8: two such keys would become one. */
const LONE_SURROGATE = /\p{Surrogate}/u

interface Request {
  readonly writes: readonly Write[]
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * An append-only log store: durable when a promise resolves, readable whatever happens to writes.
 * Values are bytes; a string is stored as its UTF-8, and `(await store.get(key))?.toString()` gives it back.
 */
export class Store {
  /** What opening had to repair. */
  readonly recovered: Recovered
  #log: Log
  readonly #reserve: Reserve
  readonly #segmentSize: number
  #lock: Lock | undefined
  readonly #queue: Request[] = []
  #isScheduled = false
  /** Whether the last commit was of one request, with no other waiting. */
  #isAlone = true
  /** Commits since the event loop was last given a turn. */
  #inThisTurn = 0
  /** Why no write is taken: for as long as its cause is there (see `canPass`), or until the store is opened again. */
  #stopped: LightningError | undefined
  #resuming: Promise<void> | undefined
  #isClosed = false
  #closing: Promise<void> | undefined
  /** The compaction or verification under way: they take turns. */
  #maintenance: Promise<unknown> = Promise.resolve()

  private constructor(
    log: Log,
    reserve: Reserve,
    segmentSize: number,
    lock: Lock | undefined,
    stopped: LightningError | undefined,
  ) {
    this.#log = log
    this.#reserve = reserve
    this.#segmentSize = segmentSize
    this.#lock = lock
    this.#stopped = stopped
    this.recovered = {
      tornTail: log.tornTail,
      leftovers: log.leftovers,
      staleLock: lock?.takenFrom,
    }
  }

  /**
   * Opens the store in `dir`, which is made where it is not there. Where writing is not permitted the store opens
   * read-only (`mode`), and `readOnlyBecause` says why.
   * @throws LockedError, CorruptionError, PermissionError (not even reading is permitted), TooManyFilesError,
   *   UsageError, IoError
   */
  static async open(dir: string, options: OpenOptions = {}): Promise<Store> {
    const { readOnly = false, segmentSize = DEFAULT_SEGMENT_SIZE } = options
    const { reserveSize = Math.ceil(segmentSize * 1.25) } = options
    checkSize('segmentSize', segmentSize, SMALLEST_SEGMENT, LARGEST_SEGMENT)
    checkSize('reserveSize', reserveSize, 0, Number.MAX_SAFE_INTEGER)
    let lock: Lock | undefined
    let stopped: LightningError | undefined
    try {
      if (readOnly) stopped = new ReadOnlyError('EREADONLY', 'the store was opened read-only')
      else makeDirectory(dir)
      const reserve = new Reserve(dir, reserveSize)
      if (!readOnly) {
        try {
          lock = takeLock(dir, reserve)
        } catch (error) {
          stopped = writeRefusal(error, `lock ${dir}`)
        }
      }
      const log = await Log.load(dir, segmentSize, lock !== undefined)
      if (stopped === undefined) {
        try {
          withRoom({ makeRoom: () => reserve.release() }, () => log.repair())
        } catch (error) {
          stopped = errorFrom(error, `write to ${dir}`)
        }
      }
      if (stopped !== undefined) {
        lock?.release()
        lock = undefined
      }
      return new Store(log, reserve, segmentSize, lock, stopped)
    } catch (error) {
      lock?.release()
      throw notThere(error, dir) ?? errorFrom(error, `open ${dir}`)
    }
  }

  get mode(): Mode {
    return this.#stopped === undefined ? 'read-write' : 'read-only'
  }

  /** Why the store takes no writes; undefined while it does. */
  get readOnlyBecause(): LightningError | undefined {
    return this.#stopped
  }

  /** Resolves when the value is durable. Don't change the bytes of `value` before that. */
  put(key: string, value: Value): Promise<void> {
    return this.batch([['put', key, value]])
  }

  /** Resolves when it is durable that there is nothing under `key`, whether or not there was something. */
  delete(key: string): Promise<void> {
    return this.batch([['delete', key]])
  }

  /** All of these writes, in this order, or none. Resolves when they are durable. */
  async batch(operations: readonly BatchWrite[]): Promise<void> {
    this.#assertOpen()
    if (!canPass(this.#stopped)) this.#assertWritable()
    const writes = operations.map(toWrite)
    const bytes = frameLength(writes.reduce((sum, write) => sum + entryLength(write), 0))
    if (bytes > MAX_FRAME_BYTES) {
      throw new UsageError(
        'ETOOLARGE',
        `a write of ${bytes} bytes is too large; the limit is ${MAX_FRAME_BYTES}`,
      )
    }
    if (writes.length === 0) return
    return new Promise((resolve, reject) => {
      // at once, so that what is asked for later stays behind it
      this.#queue.push({ writes, bytes, resolve, reject })
      if (canPass(this.#stopped)) void this.#resume().then(() => this.#schedule())
      else this.#schedule()
    })
  }

  /** The value of `key` that is durable now; undefined where there is none. */
  async get(key: string): Promise<Buffer | undefined> {
    this.#assertOpen()
    const place = this.#log.keys.get(keyToBinary(key))
    return place === undefined ? undefined : this.#log.read(place)
  }

  /** Entries with a key greater than `after` (from the first), at most `limit`, in the order of their UTF-8 bytes. */
  async scan(range: { after?: string; limit?: number } = {}): Promise<[key: string, value: Buffer][]> {
    this.#assertOpen()
    const { after, limit = Number.POSITIVE_INFINITY } = range
    const entries: [string, Buffer][] = []
    if (limit <= 0) return entries
    for (const [key, place] of this.#log.keys.after(after === undefined ? undefined : keyToBinary(after))) {
      entries.push([keyFromBinary(key), this.#log.read(place)])
      if (entries.length >= limit) break
    }
    return entries
  }

  /** Resolves when every write that was asked for before is durable or was refused. */
  async sync(): Promise<void> {
    this.#assertOpen()
    if (this.#resuming !== undefined) await this.#resuming
    this.#flush()
    if (this.#stopped instanceof IoError) throw this.#refusal(this.#stopped)
  }

  /**
   * Rewrites the log without what no longer counts. Reads and writes go on meanwhile.
   * @throws DiskFullError where there was not even room for that; what did fit was compacted
   */
  compact(): Promise<void> {
    return this.#maintain(async () => {
      this.#assertOpen()
      if (canPass(this.#stopped)) await this.#resume()
      this.#assertWritable()
      const host = {
        log: this.#log,
        makeRoom: () => this.#makeRoom(),
        assertWritable: () => this.#assertWritable(),
      }
      try {
        const { active } = this.#log
        if (active !== undefined && active.entryBytes > 0) withRoom(host, () => this.#log.rotate())
        await compactLog(host)
      } catch (error) {
        throw this.#noticed(error)
      } finally {
        this.#refill()
      }
    })
  }

  /** Reads everything again and lists all damage. */
  verify(): Promise<Verification> {
    return this.#maintain(() => {
      this.#assertOpen()
      return verify(this.#log.dir)
    })
  }

  stats(): Stats {
    this.#assertOpen()
    const { segments, keys, commit } = this.#log
    return {
      keys: keys.size,
      commits: commit,
      segments: segments.length,
      bytes: segments.reduce((sum, segment) => sum + segment.size, 0),
      liveBytes: segments.reduce((sum, segment) => sum + segment.liveBytes, 0),
      reserveBytes: this.#reserve.size,
    }
  }

  /** Finishes the writes that wait, then gives everything back. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#resuming !== undefined) await this.#resuming
    this.#flush()
    this.#isClosed = true
    await this.#maintenance
    if (this.#stopped === undefined) this.#log.giveRoomBack()
    this.#log.close()
    this.#lock?.release()
  }

  /**
   * Opening found no room, not even for the lock. Without it another process may have written since, so everything
   * is read again. Where there still is no room, or something else is in the way, the store stays as it is, and the
   * next write tries again if that can pass.
   */
  #resume(): Promise<void> {
    this.#resuming ??= this.#openForWriting().finally(() => {
      this.#resuming = undefined
    })
    return this.#resuming
  }

  async #openForWriting(): Promise<void> {
    const { dir } = this.#log
    let lock: Lock | undefined
    let log: Log | undefined
    try {
      lock = takeLock(dir, this.#reserve)
      log = await Log.load(dir, this.#segmentSize, true)
      withRoom({ makeRoom: () => this.#reserve.release() }, () => log!.repair())
      this.#log.close()
      this.#log = log
      this.#lock = lock
      this.#stopped = undefined
    } catch (error) {
      log?.close()
      lock?.release()
      this.#stopped = errorFrom(error, `open ${dir} for writing`)
    }
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    const commit = () => {
      this.#isScheduled = false
      this.#inThisTurn += 1
      this.#commitGroup()
      if (this.#queue.length > 0) this.#schedule()
    }
    // Not at once: what else is asked for meanwhile goes into the same commit. A writer that was alone the last time
    // does not wait for others: a turn of the event loop costs a tenth of a sync. But it does not keep timers, and a
    // compaction, waiting for as long as it writes.
    if (this.#isAlone && this.#inThisTurn < MOST_IN_A_TURN) queueMicrotask(commit)
    else
      setImmediate(() => {
        this.#inThisTurn = 0
        commit()
      })
  }

  #flush(): void {
    while (this.#queue.length > 0) this.#commitGroup()
  }

  /** Commits the requests that wait, as far as they fit into one frame. */
  #commitGroup(): void {
    const limit = Math.min(MAX_GROUP_BYTES, this.#segmentSize)
    let count = 0
    for (let bytes = 0; count < this.#queue.length; count++) {
      bytes += this.#queue[count]!.bytes
      if (bytes > limit && count > 0) break
    }
    const group = this.#queue.splice(0, count)
    if (group.length === 0) return
    if (this.#stopped !== undefined) {
      for (const { reject } of group) reject(this.#refusal(this.#stopped))
      return
    }
    this.#isAlone = group.length === 1 && this.#queue.length === 0
    try {
      this.#append(group.flatMap((request) => request.writes))
      for (const request of group) request.resolve()
    } catch (error) {
      if (error instanceof DiskFullError) this.#commitEach(group)
      else for (const request of group) request.reject(error)
    }
  }

  /** What is too large together may fit apart; deletes may use the reserve. */
  #commitEach(group: readonly Request[]): void {
    const host = { makeRoom: () => this.#makeRoom() }
    for (const { writes, resolve, reject } of group) {
      try {
        const isFreeing = writes.every((write) => write.value === undefined)
        if (isFreeing) withRoom(host, () => this.#append(writes))
        else this.#append(writes)
        resolve()
      } catch (error) {
        reject(error)
      }
    }
  }

  #makeRoom(): boolean {
    try {
      return this.#reserve.release()
    } catch (error) {
      throw this.#noticed(error)
    }
  }

  #append(writes: readonly Write[]): void {
    if (this.#stopped !== undefined) throw this.#refusal(this.#stopped)
    try {
      if (writes.some((write) => write.value !== undefined)) this.#reserve.fill()
      this.#log.append(writes)
    } catch (error) {
      throw this.#noticed(error)
    }
  }

  /** After these errors no write can be trusted, or permitted, until the store was opened again. */
  #noticed(error: unknown): unknown {
    const stops =
      error instanceof IoError || error instanceof PermissionError || error instanceof ReadOnlyError
    if (stops) this.#stopped ??= error
    return error
  }

  /** Sets the reserve aside again where there is room; where not, the next put finds out. */
  #refill(): void {
    try {
      if (this.#stopped === undefined) this.#reserve.fill()
    } catch (error) {
      this.#noticed(error)
    }
  }

  #maintain<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#maintenance.then(work)
    this.#maintenance = done.catch(() => {})
    return done
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new ClosedError('ECLOSED', 'the store was closed')
  }

  #assertWritable(): void {
    this.#assertOpen()
    if (this.#stopped !== undefined) throw this.#refusal(this.#stopped)
  }

  #refusal(cause: LightningError): LightningError {
    if (canPass(cause)) return cause
    const message = `the store takes no writes until it is opened again: ${cause.message}`
    if (cause instanceof IoError) return new IoError(cause.code, message, cause)
    return new ReadOnlyError(cause.code, message, cause)
  }
}

/** Whether what stops the store may be over by the next write: room is made, descriptors come back, a lock is given up. */
function canPass(stopped: LightningError | undefined): boolean {
  return (
    stopped instanceof DiskFullError || stopped instanceof TooManyFilesError || stopped instanceof LockedError
  )
}

function takeLock(dir: string, reserve: Reserve): Lock {
  return withRoom({ makeRoom: () => reserve.release() }, () => {
    try {
      return Lock.acquire(dir)
    } catch (error) {
      throw errorFrom(error, `lock ${dir}`)
    }
  })
}

/** The error, where it means that the store can be read but not written; else it is thrown. */
function writeRefusal(error: unknown, doing: string): LightningError {
  const refusal = errorFrom(error, doing)
  const canRead =
    refusal instanceof PermissionError || refusal instanceof ReadOnlyError || refusal instanceof DiskFullError
  if (!canRead) throw refusal
  return refusal
}

function notThere(error: unknown, dir: string): LightningError | undefined {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'EEXIST' && (code !== 'ENOENT' || fs.existsSync(dir))) return undefined
  return new UsageError(code, `there is no directory ${dir}`, error)
}

function toWrite(operation: BatchWrite): Write {
  const [op, key, value] = operation
  if (typeof key !== 'string' || LONE_SURROGATE.test(key)) {
    throw new UsageError('EBADKEY', 'a key must be a string without lone surrogates')
  }
  const binary = keyToBinary(key)
  if (binary.length === 0 || binary.length > MAX_KEY_BYTES) {
    throw new UsageError(
      'EBADKEY',
      `a key must have 1 to ${MAX_KEY_BYTES} bytes; this one has ${binary.length}`,
    )
  }
  if (op === 'delete') return { key: binary, value: undefined }
  if (typeof value === 'string') return { key: binary, value: Buffer.from(value) }
  if (op === 'put' && value instanceof Uint8Array) return { key: binary, value }
  throw new UsageError('EBADVALUE', `the value of ${JSON.stringify(key)} must be a string or a Uint8Array`)
}

function checkSize(name: string, size: number, least: number, most: number): void {
  if (Number.isInteger(size) && size >= least && size <= most) return
  throw new UsageError('EBADOPTION', `${name} must be a whole number from ${least} to ${most}; it is ${size}`)
}
