/**
 * The content of one file, twice: as everybody sees it, and as it would be after a power cut. The second is kept as what
 * has to be undone: for each block that changed since the last sync, the block that was there before. A block that the
 * disk may still need is never written over; what changes it goes to another block. Blocks beyond the size of the last
 * sync need no such care, since after a power cut the file ends before them.
 */
import { BLOCK, type Blocks, HOLE, UNWRITTEN } from './blocks.js'

/** Largest file, in bytes. */
export const LARGEST_FILE = 2 ** 42

const CHUNK_BITS = 10
const CHUNK = 1 << CHUNK_BITS
/** The map of a small file begins with this many blocks. */
const SMALLEST_CHUNK = 16
const ZEROS = Buffer.alloc(BLOCK)

const blocksOf = (bytes: number) => Math.ceil(bytes / BLOCK)

export class Content {
  readonly #store: Blocks
  /** The number of each block, or HOLE, or UNWRITTEN; in chunks, so that a large hole costs nothing. */
  readonly #chunks: (Int32Array | undefined)[] = []
  /** In bytes. Within the last block, what is beyond it is zero. */
  size = 0
  /** Blocks that count against the quota. */
  blocks = 0
  /** Size after a power cut. */
  #syncedSize = 0
  /** What was in the blocks that changed since the last sync. */
  readonly #before = new Map<number, number>()
  /** What the disk holds of blocks that a failed sync gave up: they read as new, and no later sync writes them. */
  readonly #forsaken = new Map<number, number>()
  /** What was in blocks before the last sync that changed them, of syncs since somebody wanted that kept. */
  readonly #previous = new Map<number, number>()

  constructor(store: Blocks) {
    this.#store = store
  }

  /** Whether a power cut would change what is here. */
  get isDirty(): boolean {
    return this.size !== this.#syncedSize || this.#before.size > 0 || this.#forsaken.size > 0
  }

  /** Whether a failed sync left something that is in the page cache alone. */
  get isForsaken(): boolean {
    return this.#forsaken.size > 0
  }

  /** Fills `length` bytes from `at` on; the caller asks for nothing beyond the size. */
  read(offset: number, length: number, into: Buffer, at: number): void {
    for (let done = 0; done < length; ) {
      const index = Math.floor((offset + done) / BLOCK)
      const within = (offset + done) % BLOCK
      const block = this.#get(index)
      let piece = Math.min(BLOCK - within, length - done)
      for (let next = 1; piece < length - done; next += 1) {
        if (this.#get(index + next) !== (block > 0 ? block + next : block)) break
        piece = Math.min(piece + BLOCK, length - done)
      }
      if (block > 0) this.#store.read(block, within, into, at + done, piece)
      else into.fill(0, at + done, at + done + piece)
      done += piece
    }
  }

  /** @returns how many bytes were written: fewer where the quota ends, none on a full disk */
  write(offset: number, length: number, from: Buffer, at: number): number {
    const room = this.#reserve(offset, length)
    for (let done = 0; done < room; ) {
      const position = offset + done
      const index = Math.floor(position / BLOCK)
      const within = position % BLOCK
      const piece = Math.min(BLOCK - within, room - done)
      done +=
        piece < BLOCK
          ? this.#writePart(index, within, from, at + done, piece)
          : this.#writeWhole(index, from, at + done, room - done)
    }
    if (room > 0 && offset + room > this.size) this.size = offset + room
    return room
  }

  truncate(size: number): void {
    if (size <= this.size) {
      if (size % BLOCK > 0) this.#zero(size, BLOCK - (size % BLOCK))
      this.#drop(blocksOf(size), this.#end)
    }
    this.size = size
  }

  /** Makes a range read as zeros, and gives back the blocks that lie in it as a whole. */
  punch(offset: number, length: number): void {
    const end = Math.min(offset + length, this.#end * BLOCK)
    const first = blocksOf(offset)
    const last = Math.floor(end / BLOCK)
    if (first > last) {
      this.#zero(offset, end - offset)
      return
    }
    this.#zero(offset, first * BLOCK - offset)
    this.#drop(first, last)
    this.#zero(last * BLOCK, end - last * BLOCK)
  }

  /** Takes room for a range; what is there stays. @returns false, and takes nothing, where there is not enough */
  allocate(offset: number, length: number): boolean {
    const first = Math.floor(offset / BLOCK)
    const end = blocksOf(offset + length)
    let needed = 0
    for (let index = first; index < end; index += 1) {
      if (this.#get(index) !== HOLE) continue
      needed += 1
      if (needed > this.#store.quota.freeBlocks) return false
    }
    for (let index = first; index < end; index += 1) {
      if (this.#get(index) !== HOLE) continue
      this.#keep(index, HOLE)
      this.#set(index, UNWRITTEN)
    }
    this.#count(needed)
    return true
  }

  /** Where data begins (or a hole does), from `offset` on: lseek(2). Undefined where no more data follows. */
  seek(offset: number, what: 'data' | 'hole'): number | undefined {
    if (offset >= this.size) return undefined
    const end = blocksOf(this.size)
    for (let index = Math.floor(offset / BLOCK); index < end; index += 1) {
      if (this.#get(index) > 0 === (what === 'data')) return Math.max(offset, index * BLOCK)
      if (what === 'data' && this.#chunks[index >>> CHUNK_BITS] === undefined) index |= CHUNK - 1
    }
    return what === 'hole' ? this.size : undefined
  }

  /** What is here now is what a power cut leaves: fsync(2). */
  sync(): void {
    if (this.#store.keepsPrevious) this.#keepPrevious()
    if (this.#before.size > 0) {
      for (const block of this.#before.values()) this.#release(block)
      this.#before.clear()
    }
    this.#syncedSize = this.size
  }

  #keepPrevious(): void {
    const keep = (index: number, block: number) => {
      this.#release(this.#previous.get(index) ?? HOLE)
      this.#previous.set(index, block)
    }
    // what was appended is in blocks of which the disk had nothing, or, of the first, the beginning
    const end = this.size > this.#syncedSize ? blocksOf(this.size) : 0
    for (let index = Math.floor(this.#syncedSize / BLOCK); index < end; index += 1) {
      const had = Math.max(0, this.#syncedSize - index * BLOCK)
      if (!this.#before.has(index) && this.#get(index) > 0) keep(index, this.#beginningOf(index, had))
    }
    for (const [index, block] of this.#before) {
      const had = this.#syncedSize - index * BLOCK
      if (block > 0 && had < BLOCK) this.#store.write(block, had, ZEROS, 0, BLOCK - had)
      keep(index, block)
    }
    this.#before.clear()
  }

  /**
   * A sync that fails the way ext4 and xfs do it: the new size is on the disk, the new blocks are not; they are taken for
   * written all the same, so reads find them and no later sync tries again ("Can Applications Recover from fsync
   * Failures?", ATC 2020).
   */
  forsake(): void {
    const synced = blocksOf(this.#syncedSize)
    const end = blocksOf(this.size)
    for (const [index, block] of this.#before) {
      if (index < end) this.#forsaken.set(index, block)
      else this.#release(block)
    }
    this.#before.clear()
    if (this.size > this.#syncedSize) this.#forsakeTail(synced - 1, this.#syncedSize % BLOCK)
    for (let index = synced; index < end; index += 1) {
      if (this.#get(index) > 0 && !this.#forsaken.has(index)) this.#forsaken.set(index, HOLE)
    }
    this.#syncedSize = this.size
  }

  /** The last block that the disk holds has nothing of what was appended to it. */
  #forsakeTail(index: number, within: number): void {
    if (within === 0) return
    const onDisk = this.#forsaken.get(index)
    const length = BLOCK - within
    if (onDisk !== undefined) {
      if (onDisk > 0) this.#store.write(onDisk, within, ZEROS, 0, length)
    } else if (this.#get(index) > 0) {
      this.#forsaken.set(index, this.#beginningOf(index, within))
    }
  }

  /** @returns a new block with the first bytes of another, and zeros after them; HOLE where that is none */
  #beginningOf(index: number, length: number): number {
    if (length === 0) return HOLE
    const copy = this.#store.allocate()
    this.#store.compose(copy, this.#get(index), length, ZEROS, 0, BLOCK - length)
    return copy
  }

  /** What the page cache alone holds is gone; the disk's is read again. */
  evict(): void {
    for (const [index, block] of this.#forsaken) this.#replace(index, block)
    this.#forsaken.clear()
  }

  /** A power cut: the file as it was synced last. */
  cut(): void {
    this.evict()
    for (const [index, block] of this.#before) this.#replace(index, block)
    this.#before.clear()
    const end = blocksOf(this.#syncedSize)
    for (const index of this.#taken(end)) this.#replace(index, HOLE)
    this.size = this.#syncedSize
    const within = this.size % BLOCK
    const last = within === 0 ? HOLE : this.#get(end - 1)
    if (last > 0) this.#store.write(last, within, ZEROS, 0, BLOCK - within)
  }

  /** The file is gone. */
  discard(): void {
    for (const blocks of [this.#before, this.#forsaken, this.#previous]) {
      for (const block of blocks.values()) this.#release(block)
      blocks.clear()
    }
    for (const index of this.#taken(0)) this.#release(this.#get(index))
    this.#chunks.length = 0
    this.giveRoomBack()
    this.size = 0
  }

  /** Gives back the room that the file takes, though its blocks may still be needed after a power cut. */
  giveRoomBack(): void {
    this.#count(-this.blocks)
  }

  /** Takes that room again. */
  takeRoomAgain(): void {
    let blocks = 0
    for (const _ of this.#taken(0)) blocks += 1
    this.#count(blocks - this.blocks)
  }

  /** The indexes of the blocks that hold data. */
  dataBlocks(): number[] {
    return [...this.#taken(0)].filter((index) => this.#get(index) > 0)
  }

  /** Reads a block as it was before the sync that changed it last, as far as that was kept, into `into`. */
  readPrevious(index: number, into: Buffer): void {
    const block = this.#previous.get(index) ?? this.#before.get(index) ?? this.#get(index)
    if (block > 0) this.#store.read(block, 0, into, 0, BLOCK)
    else into.fill(0, 0, BLOCK)
  }

  #get(index: number): number {
    const chunk = this.#chunks[index >>> CHUNK_BITS]
    const slot = index & (CHUNK - 1)
    return chunk !== undefined && slot < chunk.length ? chunk[slot]! : HOLE
  }

  #set(index: number, block: number): void {
    const number = index >>> CHUNK_BITS
    const slot = index & (CHUNK - 1)
    const chunk = this.#chunks[number]
    if (chunk === undefined || slot >= chunk.length) {
      if (block === HOLE) return
      let length = number === 0 ? SMALLEST_CHUNK : CHUNK
      while (length <= slot) length *= 4
      const grown = new Int32Array(Math.min(length, CHUNK))
      if (chunk !== undefined) grown.set(chunk)
      grown[slot] = block
      this.#chunks[number] = grown
    } else {
      chunk[slot] = block
    }
  }

  #release(block: number): void {
    if (block > 0) this.#store.release(block)
  }

  #count(blocks: number): void {
    this.blocks += blocks
    this.#store.quota.freeBlocks -= blocks
  }

  /** Where the map ends: no block is taken from here on. */
  get #end(): number {
    return this.#chunks.length * CHUNK
  }

  /** The indexes from `first` on at which room is taken. */
  *#taken(first: number): Generator<number> {
    for (let number = first >>> CHUNK_BITS; number < this.#chunks.length; number += 1) {
      const chunk = this.#chunks[number]
      if (chunk === undefined) continue
      const start = number * CHUNK
      // a small file has a small chunk, of which no more than that has to be looked at
      for (let slot = Math.max(0, first - start); slot < chunk.length; slot += 1) {
        if (chunk[slot] !== HOLE) yield start + slot
      }
    }
  }

  /**
   * Remembers what is in a block that is about to change from `within` bytes on, if the disk may still need it.
   * @returns whether it may, so that the change has to go to another block
   */
  #keep(index: number, block: number, within = 0): boolean {
    if (this.#before.has(index)) return false
    const onDisk = this.#forsaken.get(index)
    if (onDisk !== undefined) {
      // written again, so the next sync has it to write; what the disk holds lies elsewhere already
      this.#before.set(index, onDisk)
      this.#forsaken.delete(index)
      return false
    }
    if (index * BLOCK + within >= this.#syncedSize) return false
    this.#before.set(index, block)
    return true
  }

  /** @returns how many of the bytes there is room for; counts the blocks that they take */
  #reserve(offset: number, length: number): number {
    const first = Math.floor(offset / BLOCK)
    const end = blocksOf(offset + length)
    const free = this.#store.quota.freeBlocks
    let needed = 0
    for (let index = first; index < end; index += 1) {
      if (this.#get(index) !== HOLE) continue
      if (needed === free) {
        this.#count(needed)
        return Math.max(0, index * BLOCK - offset)
      }
      needed += 1
    }
    if (needed > 0) this.#count(needed)
    return length
  }

  /** Writes a part of one block. @returns its length */
  #writePart(index: number, within: number, from: Buffer, at: number, length: number): number {
    const block = this.#get(index)
    const needed = this.#keep(index, block, within)
    if (block > 0 && !needed) {
      this.#store.write(block, within, from, at, length)
    } else {
      const fresh = this.#store.allocate()
      this.#store.compose(fresh, block, within, from, at, length)
      this.#set(index, fresh)
    }
    return length
  }

  /** Writes whole blocks, as many as lie next to each other in the backing file. @returns their length in bytes */
  #writeWhole(index: number, from: Buffer, at: number, length: number): number {
    const first = this.#target(index)
    let count = 1
    for (; (count + 1) * BLOCK <= length; count += 1) {
      const next = this.#target(index + count)
      if (next === first + count) continue
      this.#store.write(first, 0, from, at, count * BLOCK)
      this.#store.write(next, 0, from, at + count * BLOCK, BLOCK)
      return (count + 1) * BLOCK
    }
    this.#store.write(first, 0, from, at, count * BLOCK)
    return count * BLOCK
  }

  /** The block that new content of a whole block goes to. */
  #target(index: number): number {
    const block = this.#get(index)
    const needed = this.#keep(index, block)
    if (block > 0 && !needed) return block
    const fresh = this.#store.allocate()
    this.#set(index, fresh)
    return fresh
  }

  /** Writes zeros into a part of one block, if there is one. */
  #zero(offset: number, length: number): void {
    const index = Math.floor(offset / BLOCK)
    if (length > 0 && this.#get(index) > 0) this.#writePart(index, offset % BLOCK, ZEROS, 0, length)
  }

  /** Makes holes of blocks. */
  #drop(first: number, end: number): void {
    let dropped = 0
    for (const index of this.#taken(first)) {
      if (index >= end) break
      const block = this.#get(index)
      if (!this.#keep(index, block)) this.#release(block)
      this.#set(index, HOLE)
      dropped += 1
    }
    this.#count(-dropped)
  }

  /** Puts another block in the place of one, which is let go. */
  #replace(index: number, block: number): void {
    const old = this.#get(index)
    this.#release(old)
    this.#count((block === HOLE ? 0 : 1) - (old === HOLE ? 0 : 1))
    this.#set(index, block)
  }
}
