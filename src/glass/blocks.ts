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
  readonly #one = Buffer.alloc(BLOCK)

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
    this.#free.push(block)
  }

  /** Reads from `within` bytes into a block, and from the blocks that follow it. */
  read(block: number, within: number, into: Buffer, at: number, length: number): void {
    const position = block * BLOCK + within
    const got = readSync(this.#fd, into, at, length, position)
    // the backing file ends with what was written last
    if (got < length) into.fill(0, at + got, at + length)
  }

  write(block: number, within: number, from: Buffer, at: number, length: number): void {
    const position = block * BLOCK + within
    for (let done = 0; done < length; ) {
      done += writeSync(this.#fd, from, at + done, length - done, position + done)
    }
  }

  /**
   * Fills a whole block: with what another holds (zeros, for a hole), and `length` bytes of something else over it.
   * @param source number of that block, HOLE or UNWRITTEN
   */
  compose(block: number, source: number, within: number, from: Buffer, at: number, length: number): void {
    if (source > 0) this.read(source, 0, this.#one, 0, BLOCK)
    else this.#one.fill(0)
    from.copy(this.#one, within, at, at + length)
    this.write(block, 0, this.#one, 0, BLOCK)
  }
}
