/** The last bytes of a stream, however much flows through it. */
export class Tail {
  readonly #limit: number
  #chunks: Buffer[] = []
  #length = 0

  /** @param limit how many bytes to keep */
  constructor(limit: number) {
    this.#limit = limit
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    // Joined only when it is twice as long as it may be: the cost stays linear, for one-byte chunks too.
    if (this.#length >= 2 * this.#limit) this.#cut()
  }

  toString(): string {
    this.#cut()
    return this.#chunks.map((chunk) => chunk.toString('utf8')).join('')
  }

  #cut(): void {
    const kept = Buffer.concat(this.#chunks).subarray(-this.#limit)
    this.#chunks = [kept]
    this.#length = kept.length
  }
}
