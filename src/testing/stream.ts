import { PassThrough } from 'node:stream'

/** A stream that keeps what is written to it, and takes itself for a terminal where it is given columns. */
export class CollectingStream extends PassThrough {
  readonly isTTY: boolean
  readonly columns: number | undefined

  constructor(columns?: number) {
    super()
    this.isTTY = columns !== undefined
    this.columns = columns
  }

  /** Everything that was written since the last call. */
  drained(): string {
    return this.read()?.toString() ?? ''
  }

  /** The escape sequences of a terminal, as tty.WriteStream writes them. */
  cursorTo(column: number): void {
    this.write(`\u001b[${column + 1}G`)
  }
  clearLine(): void {
    this.write('\u001b[K')
  }
  moveCursor(): void {
    this.write('\u001b[1A')
  }
}
