const NEWLINE = 0x0a

/**
 * Cuts a stream of bytes into lines. A line that comes in many chunks is put together once, at its end, so the
 * cost is linear in its length.
 */
export class LineSplitter {
  readonly #limit: number
  #parts: Buffer[] = []
  #length = 0

  /** @param limit longest line, in bytes */
  constructor(limit: number) {
    this.#limit = limit
  }

  /**
   * Hands each line that the chunk completes to `onLine`, without its newline, until `onLine` answers false.
   *
   * @returns false when a line is longer than the limit
   */
  push(chunk: Buffer, onLine: (line: string) => boolean): boolean {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      if (this.#length + end - start > this.#limit) return false
      if (!onLine(this.#take(chunk, start, end))) return true
      start = end + 1
    }
    if (start < chunk.length) {
      this.#parts.push(start === 0 ? chunk : chunk.subarray(start))
      this.#length += chunk.length - start
    }
    return this.#length <= this.#limit
  }

  #take(chunk: Buffer, start: number, end: number): string {
    if (this.#length === 0) return chunk.toString('utf8', start, end)
    this.#parts.push(chunk.subarray(start, end))
    const line = Buffer.concat(this.#parts).toString('utf8')
    this.#parts = []
    this.#length = 0
    return line
  }
}
