/** Reads requests of the kernel, and writes replies. Both are views on memory that is used again for every request. */
import { constants } from 'node:os'
import { REPLY_HEADER, REQUEST_HEADER, SHAPES } from './protocol.js'

const TWO_32 = 2 ** 32

/** One request. Numbers are read at their offset in bytes; the kernel aligns them to their size. */
export class Request {
  readonly bytes: Buffer
  readonly #words: Uint32Array
  #length = 0

  constructor(size: number) {
    const memory = new ArrayBuffer(size)
    this.bytes = Buffer.from(memory)
    this.#words = new Uint32Array(memory)
  }

  /** A request of its own with the same content, to be answered later. */
  copy(): Request {
    const copy = new Request(Math.ceil(this.#length / 8) * 8)
    this.bytes.copy(copy.bytes, 0, 0, this.#length)
    copy.#length = this.#length
    return copy
  }

  /**
   * Takes what was read into `bytes`. Nothing else here may be asked before this said 0.
   * @returns 0; ENOSYS or EINVAL, negated, where it is no request that we know; undefined where it cannot even be answered
   */
  accept(length: number): number | undefined {
    this.#length = length
    if (length < REQUEST_HEADER || this.#words[0] !== length) return undefined
    const shape = SHAPES[this.opcode]
    if (shape === undefined) return -constants.errno.ENOSYS
    const names = REQUEST_HEADER + shape.body
    if (length < names) return -constants.errno.EINVAL
    let end = names
    for (let name = 0; name < shape.names; name += 1) {
      const zero = this.bytes.indexOf(0, end)
      if (zero < end || zero >= length) return -constants.errno.EINVAL
      end = zero + 1
    }
    if (shape.data !== undefined && end + this.u32(shape.data) > length) return -constants.errno.EINVAL
    return 0
  }

  get opcode(): number {
    return this.#words[1]!
  }

  get node(): number {
    return this.u64(16)
  }

  get uid(): number {
    return this.#words[6]!
  }

  get gid(): number {
    return this.#words[7]!
  }

  /** The thread that asked, as our pid namespace numbers it; 0 for the kernel itself. */
  get pid(): number {
    return this.#words[8]!
  }

  /** The lower half of the request's number, and the upper. */
  get uniqueLow(): number {
    return this.#words[2]!
  }

  get uniqueHigh(): number {
    return this.#words[3]!
  }

  u32(at: number): number {
    return this.#words[at >>> 2]!
  }

  setU32(at: number, value: number): void {
    this.#words[at >>> 2] = value
  }

  /** Exact up to 2^53; what is larger is no offset, size or number of ours. */
  u64(at: number): number {
    const word = at >>> 2
    return this.#words[word]! + this.#words[word + 1]! * TWO_32
  }

  /** A number that may be negative: a time before 1970. */
  i64(at: number): number {
    const word = at >>> 2
    return this.#words[word]! + (this.#words[word + 1]! | 0) * TWO_32
  }

  setU64(at: number, value: number): void {
    this.#words[at >>> 2] = value % TWO_32
    this.#words[(at >>> 2) + 1] = Math.floor(value / TWO_32)
  }

  /** A name, one character a byte: names are bytes, and this keeps each as it is. `at` is where it begins. */
  name(at: number): string {
    return this.bytes.toString('latin1', at, this.bytes.indexOf(0, at))
  }

  /** Where the data of a request begins that has one name before it. */
  afterName(at: number): number {
    return this.bytes.indexOf(0, at) + 1
  }
}

/** One reply: the body is written behind the header, which is written last. */
export class Reply {
  readonly bytes: Buffer
  readonly #words: Uint32Array

  constructor(size: number) {
    const memory = new ArrayBuffer(size)
    this.bytes = Buffer.from(memory)
    this.#words = new Uint32Array(memory)
  }

  /** Offsets are those in the body, in bytes. */
  setU32(at: number, value: number): void {
    this.#words[(at + REPLY_HEADER) >>> 2] = value
  }

  setU64(at: number, value: number): void {
    const word = (at + REPLY_HEADER) >>> 2
    this.#words[word] = value % TWO_32
    this.#words[word + 1] = Math.floor(value / TWO_32)
  }

  u32(at: number): number {
    return this.#words[(at + REPLY_HEADER) >>> 2]!
  }

  fill(at: number, value: Uint8Array): void {
    this.bytes.set(value, at + REPLY_HEADER)
  }

  /** Text, one character a byte, and zeros after it until `end`. */
  fillText(at: number, text: string, end: number): void {
    this.bytes.fill(0, at + text.length + REPLY_HEADER, end + REPLY_HEADER)
    this.bytes.write(text, at + REPLY_HEADER, 'latin1')
  }

  clear(length: number): void {
    this.#words.fill(0, REPLY_HEADER >>> 2, (REPLY_HEADER + length) >>> 2)
  }

  /**
   * Writes the header.
   * @param result bytes of the body, or an error's number, negated
   * @returns bytes of the whole reply
   */
  finish(request: Request, result: number): number {
    const length = REPLY_HEADER + Math.max(0, result)
    this.#words[0] = length
    this.#words[1] = Math.min(0, result)
    this.#words[2] = request.uniqueLow
    this.#words[3] = request.uniqueHigh
    return length
  }
}
