/** One file of the log. */
import fs from 'node:fs'
import { basename } from 'node:path'
import { CorruptionError, errorFrom } from './errors.js'
import { closeFile, readFully } from './files.js'
import {
  decodeHeader,
  ENTRY_HEAD,
  entryIsWhole,
  frameSeed,
  HEADER_SIZE,
  type SegmentHeader,
} from './format.js'

const SUFFIX = '.log'
const NAME = /^\d{10}\.log$/
/** What a file is called while it is being written; only a rename makes it part of the log. */
export const UNFINISHED = '.tmp'

export function segmentName(id: number): string {
  return String(id).padStart(10, '0') + SUFFIX
}

/** Ids of the segments among the names of a directory, in order. */
export function segmentIds(names: readonly string[]): number[] {
  return names
    .filter((name) => NAME.test(name))
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b)
}

/** Descriptors that are kept open where they need not be: beyond that, a read opens its file by itself. */
const MAX_OPEN = 512
let open = 0

export class Segment {
  readonly path: string
  readonly header: SegmentHeader
  readonly seed: number
  /** Number of this file in the index. A compacted segment has the id of an old one, but a slot of its own. */
  readonly slot: number
  /** Where the next frame goes, in bytes. */
  size = HEADER_SIZE
  lastCommit: number
  /** False while frames are appended to it: its descriptor then is the one that can write. */
  isSealed = true
  /** Bytes of all entries, and of those that the index points to. */
  entryBytes = 0
  liveBytes = 0
  #fd: number | undefined
  #isPinned = false

  constructor(path: string, header: SegmentHeader, slot: number, fd: number) {
    this.path = path
    this.header = header
    this.seed = frameSeed(header)
    this.slot = slot
    this.lastCommit = header.compacted ? header.lastCommit : header.firstCommit - 1
    this.#fd = fd
    open++
  }

  /** @throws CorruptionError where the file does not begin with a segment header */
  static open(path: string, slot: number, flags: 'r' | 'r+'): Segment {
    const fd = fs.openSync(path, flags)
    try {
      const bytes = Buffer.alloc(HEADER_SIZE)
      const header = decodeHeader(bytes.subarray(0, readFully(fd, bytes, 0)))
      if (typeof header === 'string') throw new CorruptionError(path, 0, header)
      return new Segment(path, header, slot, fd)
    } catch (error) {
      closeFile(fd)
      throw error
    }
  }

  get name(): string {
    return basename(this.path)
  }

  /** True where every entry counts: no key in here was written or deleted again. */
  get isAllLive(): boolean {
    return this.liveBytes === this.entryBytes
  }

  get fd(): number {
    if (this.#fd === undefined) {
      this.#fd = fs.openSync(this.path, 'r')
      open++
    }
    return this.#fd
  }

  /** Size of the file, which is more than `size` where something was left behind the last whole frame. */
  fileSize(): number {
    return fs.fstatSync(this.fd).size
  }

  /**
   * The value in the entry at `offset`.
   * @throws CorruptionError where the entry is not what was written
   */
  readValue(offset: number, length: number): Buffer {
    try {
      const bytes = Buffer.allocUnsafe(length)
      if (readFully(this.fd, bytes, offset) < length) {
        throw new CorruptionError(this.path, offset, 'the file ends before the entry does')
      }
      if (!entryIsWhole(bytes, 0, length)) {
        throw new CorruptionError(this.path, offset, 'the checksum of an entry is wrong')
      }
      return bytes.subarray(ENTRY_HEAD + bytes.readUInt16LE(6))
    } catch (error) {
      throw errorFrom(error, `read ${this.name}`)
    } finally {
      this.relax()
    }
  }

  /**
   * Keeps the descriptor open: somebody reads along it while others run, or another file may come to have the name.
   * @throws Error of Node where it was given back and there is none left
   */
  pin(): number {
    const { fd } = this
    this.#isPinned = true
    return fd
  }

  unpin(): void {
    this.#isPinned = false
    this.relax()
  }

  /** Gives the descriptor back where too many are open. */
  relax(): void {
    if (open > MAX_OPEN && this.isSealed && !this.#isPinned) this.close()
  }

  close(): void {
    if (this.#fd === undefined) return
    closeFile(this.#fd)
    this.#fd = undefined
    open--
  }
}
