/**
 * The end of what a target wrote to stderr, through all its processes, each line with its time in front, as dmesg(1)
 * has it: '[    0.3508] cannot append'. Seconds since the trial began.
 */
export class TimedLog {
  readonly #limit: number
  readonly #now: () => number
  #chunks: { readonly time: number; readonly bytes: Buffer }[] = []
  #length = 0

  /**
   * @param limit how many bytes of the target's to keep
   * @param now milliseconds since the trial began
   */
  constructor(limit: number, now: () => number) {
    this.#limit = limit
    this.#now = now
  }

  push(bytes: Buffer): void {
    this.#chunks.push({ time: this.#now(), bytes })
    this.#length += bytes.length
    // cut only when it is twice as long as it may be: the cost stays linear, for one-byte chunks too
    if (this.#length >= 2 * this.#limit) this.#cut()
  }

  toString(): string {
    this.#cut()
    const lines: { readonly time: number; readonly parts: Buffer[] }[] = []
    let isOpen = false
    for (const { time, bytes } of this.#chunks) {
      for (let from = 0; from < bytes.length; ) {
        const newline = bytes.indexOf(0x0a, from)
        const end = newline === -1 ? bytes.length : newline
        const part = bytes.subarray(from, end)
        if (isOpen) lines.at(-1)!.parts.push(part)
        else lines.push({ time, parts: [part] })
        isOpen = newline === -1
        from = end + 1
      }
    }
    return lines
      .map(({ time, parts }) => `${timestamp(time)} ${Buffer.concat(parts).toString('utf8')}\n`)
      .join('')
  }

  #cut(): void {
    let first = 0
    while (this.#length > this.#limit) {
      const { time, bytes } = this.#chunks[first]!
      const left = bytes.subarray(this.#length - this.#limit)
      this.#length -= bytes.length - left.length
      if (left.length > 0) this.#chunks[first] = { time, bytes: left }
      else first += 1
    }
    this.#chunks.splice(0, first)
  }
}

function timestamp(milliseconds: number): string {
  return `[${(milliseconds / 1000).toFixed(4).padStart(10)}]`
}
