/**
 * Room set aside for the day when the disk is full: a file of random bytes (so that no file system compresses it
 * away). Deletes and compaction remove it when they find no room, which also frees an inode. After that, a
 * put has to fill it again first, so puts never eat it.
 */
import { randomFillSync } from 'node:crypto'
import fs from 'node:fs'
import { errnoOf, errorFrom } from './errors.js'
import { writeFully } from './files.js'

const CHUNK = 256 * 1024

export class Reserve {
  readonly #path: string
  readonly #target: number
  #size: number

  constructor(path: string, target: number) {
    this.#path = path
    this.#target = target
    this.#size = fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0
  }

  get size(): number {
    return this.#size
  }

  get isWhole(): boolean {
    return this.#size >= this.#target
  }

  /**
   * Fills the reserve up. What fitted stays, so on a full disk a further call costs one refused write.
   * @throws LightningError where it can't be filled
   */
  fill(): void {
    if (this.isWhole) return
    try {
      const fd = fs.openSync(this.#path, fs.constants.O_WRONLY | fs.constants.O_CREAT, 0o644)
      try {
        while (!this.isWhole) {
          const bytes = randomFillSync(Buffer.allocUnsafe(Math.min(CHUNK, this.#target - this.#size)))
          const { written, error } = writeFully(fd, bytes, this.#size)
          this.#size += written
          // A limit on the size of a file says nothing about room on the disk: this is as much as can be set aside.
          if (errnoOf(error) === 'EFBIG') this.#size = Math.max(this.#size, this.#target)
          else if (error !== undefined) throw error
        }
      } finally {
        fs.closeSync(fd)
      }
    } catch (error) {
      throw errorFrom(error, 'set the reserve aside again')
    }
  }

  /** Gives the room away; false where there was none to give. */
  release(): boolean {
    const had = this.#size > 0
    fs.rmSync(this.#path, { force: true })
    this.#size = 0
    return had
  }
}
