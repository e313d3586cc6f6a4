/** A kernel for tests: makes requests as the kernel would, and gives them to a glass in this process. */
import { mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
import { Blocks, Quota } from '../glass/blocks.js'
import type { Answer, Command } from '../glass/commands.js'
import { Glass } from '../glass/glass.js'
import { OP, type OpName, REPLY_HEADER, REQUEST_HEADER, ROOT } from '../glass/protocol.js'
import { TraceWriter } from '../glass/trace.js'
import { freshPath } from './directory.js'

/** What stands in a request behind its header: numbers with their size in bytes, names, data. */
type Part = readonly [value: number, bytes: 4 | 8] | string | Buffer

export interface FuseReply {
  readonly unique: bigint
  /** 0, or the number of an error. */
  readonly errno: number
  readonly body: Buffer
}

export class Kernel {
  readonly glass: Glass
  readonly trace: string
  readonly #writer: TraceWriter
  /** What the glass told without having been asked. */
  readonly notices: Buffer[] = []
  /** After how many milliseconds it asked to be called again. */
  readonly wakes: number[] = []
  time = 1_700_000_000_000
  uid = 0
  pid = 77
  #unique = 1
  #control: number | undefined

  constructor(options: { readonly size?: number; readonly inodes?: number; readonly bytes?: boolean } = {}) {
    const directory = freshPath()
    mkdirSync(directory)
    this.trace = path.join(directory, 'trace')
    this.#writer = new TraceWriter(this.trace, this.time, { bytes: options.bytes ?? false })
    this.glass = new Glass({
      blocks: new Blocks(
        openSync(path.join(directory, 'backing'), 'w+'),
        new Quota(options.size ?? 1024 * 1024, options.inodes ?? 100),
      ),
      owner: { uid: 0, gid: 0 },
      control: '.control',
      trace: this.#writer,
      tell: (notices) => {
        this.notices.push(...notices)
        return () => true
      },
      wakeAfter: (ms) => this.wakes.push(ms),
      now: () => this.time,
    })
  }

  /** Asks, and gives the reply; undefined where there is none, or none yet. */
  ask(op: OpName | number, node: number, ...parts: readonly Part[]): FuseReply | undefined {
    const body = Buffer.concat(parts.map(encode))
    const header = Buffer.alloc(REQUEST_HEADER)
    header.writeUInt32LE(REQUEST_HEADER + body.length, 0)
    header.writeUInt32LE(typeof op === 'number' ? op : OP[op], 4)
    header.writeBigUInt64LE(BigInt(this.#unique++), 8)
    header.writeBigUInt64LE(BigInt(node), 16)
    header.writeUInt32LE(this.uid, 24)
    header.writeUInt32LE(this.pid, 32)
    return this.raw(Buffer.concat([header, body]))
  }

  /** The number that the last request had. */
  get lastUnique(): number {
    return this.#unique - 1
  }

  /** Gives any bytes as a request. */
  raw(bytes: Buffer): FuseReply | undefined {
    bytes.copy(this.glass.request.bytes)
    return this.#decode(this.glass.handle(bytes.length))
  }

  /** A reply that was put off and is due. */
  next(): FuseReply | undefined {
    return this.#decode(this.glass.next())
  }

  /** Finds a path below the root. @returns its inode's number; 0 where it is not there */
  find(file: string): number {
    return file.split('/').reduce((node, name) => nodeOf(this.ask('lookup', node, name)), ROOT)
  }

  makeDirectory(parent: number, name: string): number {
    return nodeOf(this.ask('mkdir', parent, [0o755, 4], [0, 4], name))
  }

  create(parent: number, name: string): { readonly node: number; readonly handle: number } {
    const reply = this.ask('create', parent, [0, 4], [0o644, 4], [0, 4], [0, 4], name)
    return { node: nodeOf(reply), handle: reply?.errno === 0 ? Number(reply.body.readBigUInt64LE(128)) : 0 }
  }

  open(node: number): number {
    return Number(this.ask('open', node, [2, 4], [0, 4])!.body.readBigUInt64LE(0))
  }

  write(node: number, offset: number, data: Buffer, flags = 0): FuseReply | undefined {
    const parts: Part[] = [[0, 8], [offset, 8], [data.length, 4], [0, 4], [0, 8], [flags, 4], [0, 4], data]
    return this.ask('write', node, ...parts)
  }

  read(node: number, offset: number, size: number): FuseReply | undefined {
    return this.ask('read', node, [0, 8], [offset, 8], [size, 4], [0, 4], [0, 8], [0, 4], [0, 4])
  }

  text(node: number): string {
    return this.read(node, 0, 1024 * 1024)!.body.toString()
  }

  fsync(node: number, handle = 0, dataOnly = false): FuseReply | undefined {
    return this.ask('fsync', node, [handle, 8], [dataOnly ? 1 : 0, 4], [0, 4])
  }

  syncNames(node: number): FuseReply | undefined {
    return this.ask('fsyncdir', node, [0, 8], [0, 4], [0, 4])
  }

  unlink(parent: number, name: string): FuseReply | undefined {
    return this.ask('unlink', parent, name)
  }

  rename(parent: number, name: string, to: number, newName: string, flags = 0): FuseReply | undefined {
    return this.ask('rename2', parent, [to, 8], [flags, 4], [0, 4], name, newName)
  }

  /** Says something to the server, as the tool does. */
  command<A extends Answer>(command: Command): A {
    const node = this.find('.control')
    this.#control ??= this.open(node)
    const text = Buffer.from(JSON.stringify(command))
    const parts: Part[] = [[this.#control, 8], [0, 8], [text.length, 4], [0, 4], [0, 8], [0, 4], [0, 4], text]
    const reply = this.ask('write', node, ...parts) ?? this.next()
    if (reply?.errno !== 0) throw new Error(`the command was refused: ${reply?.errno}`)
    const answer = this.ask(
      'read',
      node,
      [this.#control, 8],
      [0, 8],
      [1024 * 1024, 4],
      [0, 4],
      [0, 8],
      [0, 4],
      [0, 4],
    )
    return JSON.parse(answer!.body.toString()) as A
  }

  flushTrace(): void {
    this.#writer.flush()
  }

  #decode(length: number): FuseReply | undefined {
    if (length === 0) return undefined
    const { bytes } = this.glass.reply
    return {
      unique: bytes.readBigUInt64LE(8),
      errno: Math.abs(bytes.readInt32LE(4)),
      body: Buffer.from(bytes.subarray(REPLY_HEADER, length)),
    }
  }
}

/** The inode that a reply names first; 0 where it is an error. */
export function nodeOf(reply: FuseReply | undefined): number {
  return reply?.errno === 0 ? Number(reply.body.readBigUInt64LE(0)) : 0
}

function encode(part: Part): Buffer {
  if (typeof part === 'string') return Buffer.from(`${part}\0`, 'latin1')
  if (Buffer.isBuffer(part)) return part
  const [value, bytes] = part
  const number = Buffer.alloc(bytes)
  if (bytes === 4) number.writeUInt32LE(value)
  else number.writeBigUInt64LE(BigInt(value))
  return number
}
