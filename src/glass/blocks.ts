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

export class Blocks {
  readonly quota: Quota
  readonly #fd: number
  readonly #free: number[] = []
  #next = 1
  /** The block that was composed last, which the next small writes most often go to: it is kept until another one is. */
  readonly #kept = Buffer.alloc(BLOCK)
  #keptBlock = HOLE
  #isKeptWritten = true

  /** @param fd the backing file, empty and open for reading and writing */
  constructor(fd: number, quota: Quota) {
    this.#fd = fd
    this.quota = quota
  }

  /** A block whose content is not defined, and which counts against no quota: that is the files' business. */
  allocate(): number {
    return this.#free.pop() ?? this.#next++
  }

  release(block: number): void {
    if (block === this.#keptBlock) this.#keptBlock = HOLE
    this.#free.push(block)
  }

  /** Reads from `within` bytes into a block, and from the blocks that follow it. */
  read(block: number, within: number, into: Buffer, at: number, length: number): void {
    if (block === this.#keptBlock && within + length <= BLOCK) {
      this.#kept.copy(into, at, within, within + length)
      return
    }
    if (this.#isKept(block, within + length)) this.#writeKept()
    const got = readSync(this.#fd, into, at, length, block * BLOCK + within)
    // the backing file ends with what was written last
    if (got < length) into.fill(0, at + got, at + length)
  }

  /** Writes from `within` bytes into a block, and into the blocks that follow it. */
  write(block: number, within: number, from: Buffer, at: number, length: number): void {
    if (block === this.#keptBlock && within + length <= BLOCK) {
      from.copy(this.#kept, within, at, at + length)
      this.#isKeptWritten = false
      return
    }
    // only whole blocks are written more than one at a time, so nothing of the one that is kept is left
    if (this.#isKept(block, within + length)) this.#keptBlock = HOLE
    this.#store(block * BLOCK + within, from, at, length)
  }

  /**
   * Fills a whole block: with what another holds (zeros, for a hole), and `length` bytes of something else over it.
   * @param source number of that block, HOLE or UNWRITTEN
   */
  compose(block: number, source: number, within: number, from: Buffer, at: number, length: number): void {
    this.#writeKept()
    if (source <= 0) this.#kept.fill(0)
    else if (source !== this.#keptBlock) this.read(source, 0, this.#kept, 0, BLOCK)
    from.copy(this.#kept, within, at, at + length)
    this.#keptBlock = block
    this.#isKeptWritten = false
  }

  #isKept(first: number, bytes: number): boolean {
    return this.#keptBlock >= first && this.#keptBlock * BLOCK < first * BLOCK + bytes
  }

  #writeKept(): void {
    if (this.#keptBlock === HOLE || this.#isKeptWritten) return
    this.#store(this.#keptBlock * BLOCK, this.#kept, 0, BLOCK)
    this.#isKeptWritten = true
  }

  #store(position: number, from: Buffer, at: number, length: number): void {
    for (let done = 0; done < length; ) {
      done += writeSync(this.#fd, from, at + done, length - done, position + done)
    }
  }
}
