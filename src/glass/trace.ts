/**
 * The trace: every operation that reached the file system, on disk, in some twelve bytes each. What it is made of is here,
 * the writer and the reader; memory stays flat however long it gets.
 *
 *     file      "GLASS\x01\0\0", when it began (float64, milliseconds since 1970), records
 *     record    operation code (6 bits), RULED, BYTES; then varints:
 *               microseconds since the record before, thread, inode,
 *               offset and length (of read, write, fallocate),
 *               [length, name] for each name, the inode that a rename or a link also names,
 *               result (zigzag: what the kernel was told, an error negated),
 *               the inode that was found or made (of those that do), the rule's number (RULED),
 *               [length, bytes] (BYTES)
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { errnoName } from '../errno.js'
import { OP, OP_NAMES, type OpName, REPLY_HEADER, REQUEST_HEADER, SHAPES } from './protocol.js'
import type { Reply, Request } from './request.js'

const MAGIC = Buffer.from('GLASS\x01\0\0', 'latin1')
const CODE = 0x3f
/** A rule acted on this operation. */
const RULED = 0x40
/** What was read or written follows. */
const BYTES = 0x80

const BUFFER = 256 * 1024
/** Most bytes of a record without its bytes: two names and a dozen numbers. */
const LARGEST_RECORD = 4096 + 4096

/** Housekeeping of the kernel's, which no program asked for. */
const UNTRACED: readonly number[] = [OP.init, OP.forget, OP.batchForget, OP.interrupt, OP.destroy]
type Kind = 'untraced' | 'range' | 'names' | 'other'
const KINDS: readonly Kind[] = SHAPES.map((shape, code) =>
  UNTRACED.includes(code)
    ? 'untraced'
    : code === OP.read || code === OP.write || code === OP.fallocate
      ? 'range'
      : shape !== undefined && shape.names > 0
        ? 'names'
        : 'other',
)
/** Operations that answer with an inode, and those that name a second one; all of them have names. */
const FINDS: readonly number[] = [OP.lookup, OP.create, OP.mknod, OP.mkdir, OP.symlink, OP.link, OP.tmpfile]
const SECOND: readonly number[] = [OP.rename, OP.rename2, OP.link]

export class TraceWriter {
  readonly #fd: number
  readonly #withBytes: boolean
  readonly #buffer = Buffer.alloc(BUFFER)
  #end = 0
  #last: number

  /** @param now milliseconds since 1970 */
  constructor(file: string, now: number, options: { readonly bytes: boolean }) {
    this.#fd = openSync(file, 'wx', 0o600)
    this.#withBytes = options.bytes
    MAGIC.copy(this.#buffer)
    this.#buffer.writeDoubleLE(now, MAGIC.length)
    this.#end = MAGIC.length + 8
    this.#last = now
  }

  /**
   * @param result bytes of the reply's body, or an error, negated
   * @param rule number of the rule that acted; -1: none
   */
  add(request: Request, reply: Reply, result: number, now: number, rule: number): void {
    const { opcode } = request
    const kind = KINDS[opcode]
    if (kind === 'untraced') return
    if (this.#end > BUFFER - LARGEST_RECORD) this.flush()
    const length = this.#withBytes && kind === 'range' ? payloadLength(opcode, reply, result) : 0
    this.#buffer[this.#end++] = opcode | (rule < 0 ? 0 : RULED) | (length === 0 ? 0 : BYTES)
    const sinceLast = Math.max(0, Math.round((now - this.#last) * 1000))
    this.#last += sinceLast / 1000
    this.#number(sinceLast)
    this.#number(request.pid)
    this.#number(request.node)
    if (kind === 'range') this.#range(request)
    else if (kind === 'names') this.#names(request)
    const told = opcode === OP.write && result > 0 ? reply.u32(0) : result
    this.#number(told < 0 ? -told * 2 - 1 : told * 2)
    if (result > 0 && kind === 'names' && FINDS.includes(opcode)) this.#number(reply.u32(0))
    if (rule >= 0) this.#number(rule)
    if (length > 0) this.#payload(request, reply, length)
  }

  /** Everything that was added is in the file. */
  flush(): void {
    writeAll(this.#fd, this.#buffer, 0, this.#end)
    this.#end = 0
  }

  #range(request: Request): void {
    const isAllocation = request.opcode === OP.fallocate
    this.#number(request.u64(REQUEST_HEADER + 8))
    this.#number(isAllocation ? request.u64(REQUEST_HEADER + 16) : request.u32(REQUEST_HEADER + 16))
  }

  #names(request: Request): void {
    const shape = SHAPES[request.opcode]!
    let at = REQUEST_HEADER + shape.body
    for (let index = 0; index < shape.names; index += 1) {
      const end = request.afterName(at)
      // a symlink's target may be long; a path's worth of it is kept
      const length = Math.min(end - 1 - at, LARGEST_RECORD / 4)
      this.#number(length)
      this.#end += request.bytes.copy(this.#buffer, this.#end, at, at + length)
      at = end
    }
    if (SECOND.includes(request.opcode)) this.#number(request.u64(REQUEST_HEADER))
  }

  #payload(request: Request, reply: Reply, length: number): void {
    this.#number(length)
    this.flush()
    if (request.opcode === OP.write) writeAll(this.#fd, request.bytes, REQUEST_HEADER + 40, length)
    else writeAll(this.#fd, reply.bytes, REPLY_HEADER, length)
  }

  /** Seven bits a byte, the lowest first; the highest bit says that more follow. */
  #number(value: number): void {
    let left = value
    while (left > 0x7f) {
      this.#buffer[this.#end++] = (left % 128) | 0x80
      left = Math.floor(left / 128)
    }
    this.#buffer[this.#end++] = left
  }
}

function payloadLength(opcode: number, reply: Reply, result: number): number {
  if (result <= 0 || opcode === OP.fallocate) return 0
  return opcode === OP.write ? reply.u32(0) : result
}

function writeAll(fd: number, from: Buffer, at: number, length: number): void {
  for (let done = 0; done < length; ) done += writeSync(fd, from, at + done, length - done)
}

/** One operation, as the trace has it. */
interface TracedOperation {
  readonly operation: OpName
  /** Milliseconds since 1970, when it was answered. */
  readonly time: number
  readonly thread: number
  readonly inode: number
  /** Where its inode is, or was when the trace last heard of a name for it, below the root; undefined: it never did. */
  readonly path: string | undefined
  readonly names: readonly string[]
  readonly offset?: number
  readonly length?: number
  /** Bytes read or written; 0 where that means nothing. */
  readonly result: number
  /** Name of the error that it was answered with. */
  readonly errno?: string
  readonly rule?: number
  readonly bytes?: Buffer
}

/** Reads a trace, from its beginning to its last whole record. Memory grows with names, not with operations. */
export function* readTrace(file: string): Generator<TracedOperation> {
  const source = new Source(file)
  try {
    let time = source.begin()
    const paths = new Paths()
    for (;;) {
      source.mark()
      const head = source.byte()
      if (head === undefined) return
      const record = readRecord(source, head & CODE, head)
      if (record === undefined) return
      time += record.sinceLast / 1000
      yield paths.told(record, time)
    }
  } finally {
    source.close()
  }
}

interface Raw {
  readonly code: number
  readonly sinceLast: number
  readonly thread: number
  readonly inode: number
  readonly offset: number | undefined
  readonly length: number | undefined
  readonly names: readonly string[]
  readonly second: number | undefined
  readonly result: number
  readonly found: number | undefined
  readonly rule: number | undefined
  readonly bytes: Buffer | undefined
}

/** @returns undefined where the file ends within the record */
function readRecord(source: Source, code: number, head: number): Raw | undefined {
  const kind = KINDS[code]
  const sinceLast = source.number()
  const thread = source.number()
  const inode = source.number()
  const offset = kind === 'range' ? source.number() : undefined
  const length = kind === 'range' ? source.number() : undefined
  const count = kind === 'names' ? SHAPES[code]!.names : 0
  const names = Array.from({ length: count }, () => source.bytes(source.number()).toString('utf8'))
  const second = SECOND.includes(code) ? source.number() : undefined
  const zigzag = source.number()
  const result = zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2
  const found = result > 0 && FINDS.includes(code) ? source.number() : undefined
  const rule = (head & RULED) !== 0 ? source.number() : undefined
  const bytes = (head & BYTES) !== 0 ? Buffer.from(source.bytes(source.number())) : undefined
  if (source.isShort) return undefined
  return { code, sinceLast, thread, inode, offset, length, names, second, result, found, rule, bytes }
}

/** The names that inodes have, as far as the trace has told. */
class Paths {
  readonly #paths = new Map<number, string>([[1, '']])

  told(raw: Raw, time: number): TracedOperation {
    const { code, thread, inode, names, result } = raw
    const path = this.#paths.get(inode)
    if (result >= 0) this.#learn(raw)
    return {
      operation: OP_NAMES[code]!,
      time,
      thread,
      inode,
      path,
      names,
      ...(raw.offset === undefined ? {} : { offset: raw.offset, length: raw.length! }),
      result: Math.max(0, raw.found === undefined ? result : 0),
      ...(result < 0 ? { errno: errnoName(-result) } : {}),
      ...(raw.rule === undefined ? {} : { rule: raw.rule }),
      ...(raw.bytes === undefined ? {} : { bytes: raw.bytes }),
    }
  }

  #learn({ code, inode, names, second, found }: Raw): void {
    const [name, newName] = names
    if (found !== undefined && found !== 0 && name !== undefined) {
      this.#paths.set(found, this.#below(inode, name))
    } else if ((code === OP.rename || code === OP.rename2) && second !== undefined) {
      this.#move(this.#below(inode, name!), this.#below(second, newName!), code === OP.rename2)
    }
  }

  /** @param exchange the kernel says rename2 for an exchange, or where nothing was there before */
  #move(from: string, to: string, exchange: boolean): void {
    for (const [number, path] of this.#paths) {
      if (isBelow(path, from)) this.#paths.set(number, to + path.slice(from.length))
      else if (exchange && isBelow(path, to)) this.#paths.set(number, from + path.slice(to.length))
    }
  }

  #below(directory: number, name: string): string {
    const path = this.#paths.get(directory)
    return path === undefined || path === '' ? name : `${path}/${name}`
  }
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`)
}

/** A file that is read from front to back. What lies beyond its end reads as nothing, and `isShort` says so. */
class Source {
  readonly #fd: number
  #chunk = Buffer.alloc(0)
  #at = 0
  isShort = false

  constructor(file: string) {
    this.#fd = openSync(file, 'r')
  }

  /** @returns when the trace began; @throws Error where the file is no trace */
  begin(): number {
    const head = this.bytes(MAGIC.length + 8)
    if (!head.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('it is no trace of glass')
    return head.readDoubleLE(MAGIC.length)
  }

  mark(): void {
    this.isShort = false
  }

  byte(): number | undefined {
    if (!this.#fill(1)) return undefined
    return this.#chunk[this.#at++]
  }

  number(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte()
      if (byte === undefined) return 0
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }

  bytes(length: number): Buffer {
    if (!this.#fill(length)) return Buffer.alloc(0)
    this.#at += length
    return this.#chunk.subarray(this.#at - length, this.#at)
  }

  close(): void {
    closeSync(this.#fd)
  }

  #fill(length: number): boolean {
    const left = this.#chunk.length - this.#at
    if (left >= length) return true
    const next = Buffer.alloc(Math.max(BUFFER, length))
    this.#chunk.copy(next, 0, this.#at)
    let end = left
    while (end < length) {
      const got = readSync(this.#fd, next, end, next.length - end, null)
      if (got === 0) break
      end += got
    }
    this.#chunk = next.subarray(0, end)
    this.#at = 0
    if (end < length) this.isShort = true
    return end >= length
  }
}
