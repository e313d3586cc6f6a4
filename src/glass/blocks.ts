/**
 * The blocks that files are made of. They lie in one backing file, on a tmpfs or a disk, so that no content is kept in
 * JavaScript's memory, whatever its size.
 */
import { readSync, writeSync } from 'node:fs'

/** Bytes of a block: a page of the kernel's cache. */
export const BLOCK = 4096
/** In place of a block's number: nothing is there, and it reads as zeros. */
export const HOLE = 0
/** In place of a block's number: room is taken, nothing is written yet, and it reads as zeros: fallocate(2). */
export const UNWRITTEN = -1

/** How much room there is: what statfs(2) tells, and what a write runs into. */
export class Quota {
  readonly blocks: number
  readonly inodes: number
  freeBlocks: number
  freeInodes: number

  /**
   * @param bytes capacity, of which whole blocks count
   * @param inodes the number of files and directories that fit, without the root
   */
  constructor(bytes: number, inodes: number) {
    this.blocks = Math.floor(bytes / BLOCK)
    this.inodes = inodes
    this.freeBlocks = this.blocks
    this.freeInodes = inodes
  }
}

/** Bytes that are gathered before they are written to the backing file. */
const GATHERED = 16 * BLOCK

export class Blocks {
  readonly quota: Quota
  /** Whether files keep what was in their blocks before the last sync, so that it can be shown again. */
  keepsPrevious = false
  readonly #fd: number
  /**
   * Free blocks, the next one last, and those that were released since then. They are handed out in the order in which they
   * were released, so that neighbours stay neighbours: they are written to the backing file together.
   */
  #free: number[] = []
  #released: number[] = []
  #next = 1
  /** A run of blocks that were written last, kept until another run begins: what is written next is most often next to it. */
  readonly #run = Buffer.alloc(GATHERED)
  /** Where in the backing file the run begins and ends, in bytes. */
  #start = 0
  #end = 0
  #isWritten = true

  /** @param fd the backing file, empty and open for reading and writing */
  constructor(fd: number, quota: Quota) {
    this.#fd = fd
    this.quota = quota
  }

  /** A block whose content is not defined, and which counts against no quota: that is the files' business. */
  allocate(): number {
    if (this.#free.length === 0) [this.#free, this.#released] = [this.#released.reverse(), this.#free]
    return this.#free.pop() ?? this.#next++
  }

  release(block: number): void {
    this.#released.push(block)
  }

  /** Reads from `within` bytes into a block, and from the blocks that follow it. */
  read(block: number, within: number, into: Buffer, at: number, length: number): void {
    const position = block * BLOCK + within
    if (position >= this.#start && position + length <= this.#end) {
      this.#run.copy(into, at, position - this.#start, position - this.#start + length)
      return
    }
    if (this.#overlaps(position, length)) this.#endRun()
    const got = readSync(this.#fd, into, at, length, position)
    // the backing file ends with what was written last
    if (got < length) into.fill(0, at + got, at + length)
  }

  /** Writes from `within` bytes into a block, and into the blocks that follow it. */
  write(block: number, within: number, from: Buffer, at: number, length: number): void {
    const position = block * BLOCK + within
    const isWhole = within === 0 && length % BLOCK === 0
    if (position >= this.#start && position + length <= this.#end) {
      from.copy(this.#run, position - this.#start, at, at + length)
      this.#isWritten = false
    } else if (isWhole && length <= GATHERED && !this.#overlaps(position, length)) {
      from.copy(this.#run, this.#room(position, length), at, at + length)
    } else {
      if (this.#overlaps(position, length)) this.#endRun()
      this.#store(position, from, at, length)
    }
  }

  /**
   * Fills a whole block: with what another holds (zeros, for a hole), and `length` bytes of something else over it.
   * @param source number of that block, HOLE or UNWRITTEN
   */
  compose(block: number, source: number, within: number, from: Buffer, at: number, length: number): void {
    const position = block * BLOCK
    // a block that was released may still be in the run
    if (this.#overlaps(position, BLOCK) || this.#overlaps(source * BLOCK, BLOCK)) this.#endRun()
    const slot = this.#room(position, BLOCK)
    if (source > 0) this.#load(source * BLOCK, slot)
    else this.#run.fill(0, slot, slot + BLOCK)
    from.copy(this.#run, slot + within, at, at + length)
  }

  #load(position: number, slot: number): void {
    const got = readSync(this.#fd, this.#run, slot, BLOCK, position)
    this.#run.fill(0, slot + got, slot + BLOCK)
  }

  #overlaps(position: number, length: number): boolean {
    return position < this.#end && position + length > this.#start
  }

  /** Takes whole blocks into the run, which begins anew where they do not follow it. @returns where in it they go */
  #room(position: number, length: number): number {
    if (position !== this.#end || this.#end + length - this.#start > GATHERED) {
      this.#endRun()
      this.#start = position
      this.#end = position
    }
    const slot = this.#end - this.#start
    this.#end += length
    this.#isWritten = false
    return slot
  }

  #endRun(): void {
    if (!this.#isWritten) this.#store(this.#start, this.#run, 0, this.#end - this.#start)
    this.#isWritten = true
    this.#start = 0
    this.#end = 0
  }

  #store(position: number, from: Buffer, at: number, length: number): void {
    for (let done = 0; done < length; ) {
      done += writeSync(this.#fd, from, at + done, length - done, position + done)
    }
  }
}
