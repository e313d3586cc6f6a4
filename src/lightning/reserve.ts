/**
 * Room set aside for the day when the disk is full: files of random bytes (so that no file system compresses them
 * away). Deletes and compaction remove them when they find no room. There are two, because compaction needs
 * two inodes at once: one for the new active segment, one for its output. After that, a put has to fill the reserve
 * again first, so puts never eat it.
 */
import { randomFillSync } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import { errnoOf, errorFrom } from './errors.js'
import { closeFile, writeFully } from './files.js'

const NAMES = ['reserve-1', 'reserve-2']
const CHUNK = 256 * 1024

interface Part {
  readonly path: string
  readonly target: number
  size: number
}

export class Reserve {
  readonly #parts: readonly Part[]

  /** @param target bytes to set aside */
  constructor(dir: string, target: number) {
    this.#parts = NAMES.map((name) => {
      const path = join(dir, name)
      const size = fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0
      return { path, target: Math.ceil(target / NAMES.length), size }
    })
  }

  get size(): number {
    return this.#parts.reduce((sum, { size }) => sum + size, 0)
  }

  /**
   * Fills the reserve up. What fitted stays, so on a full disk a further call costs one refused write.
   * @throws LightningError where it can't be filled
   */
  fill(): void {
    for (const part of this.#parts) {
      if (part.size >= part.target) continue
      try {
        fillPart(part)
      } catch (error) {
        throw errorFrom(error, 'set the reserve aside again')
      }
    }
  }

  /** Gives the room away; false where there was none to give. @throws LightningError where that is not permitted */
  release(): boolean {
    const had = this.size > 0
    for (const part of this.#parts) {
      try {
        fs.unlinkSync(part.path)
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw errorFrom(error, 'give up the reserve')
      }
      part.size = 0
    }
    return had
  }
}

function fillPart(part: Part): void {
  const fd = fs.openSync(part.path, fs.constants.O_WRONLY | fs.constants.O_CREAT, 0o644)
  try {
    while (part.size < part.target) {
      const bytes = randomFillSync(Buffer.allocUnsafe(Math.min(CHUNK, part.target - part.size)))
      const { written, error } = writeFully(fd, bytes, part.size)
      part.size += written
      // A limit on the size of a file says nothing about room on the disk: this is as much as can be set aside.
      if (errnoOf(error) === 'EFBIG') part.size = part.target
      else if (error !== undefined) throw error
    }
  } finally {
    closeFile(fd)
  }
}
