/**
 * The file system as the kernel meets it: takes each request, has it done as the rules that are on say, and answers it at
 * once or later. It never waits: what has to wait is put aside, with a copy of its request.
 */
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { errnoName } from '../errno.js'
import { attributesAnswer, entryAnswer, openAnswer } from './answers.js'
import type { Blocks } from './blocks.js'
import type { Answer, Command, State } from './commands.js'
import { apply, showsPrevious } from './effects.js'
import { FileSystem, NO_REPLY } from './file-system.js'
import { entryNotice, inodeNotice } from './helper.js'
import { Inode, type Moment } from './inode.js'
import {
  REQUEST_HEADER as BODY,
  MOST_DATA,
  OP,
  OPENED,
  REPLY_HEADER,
  REQUEST_OVERHEAD,
  ROOT,
  TYPE,
} from './protocol.js'
import { Reply, Request } from './request.js'
import { type ActiveRule, Rules } from './rules.js'
import type { TraceWriter } from './trace.js'
import { Tree } from './tree.js'

const { EINTR, EINVAL, EPERM } = constants.errno

/** The inode number of the file that commands are written to. */
const CONTROL = 2
/** How often a program is looked at that was interrupted while it waits, in milliseconds. */
const INTERRUPTED_MS = 20
/** SIGKILL in the masks of /proc/PID/status: proc_pid_status(5). */
const KILLED = 1n << 8n

export interface GlassOptions {
  readonly blocks: Blocks
  readonly owner: { readonly uid: number; readonly gid: number }
  /** Name of the file in the root that commands are written to. */
  readonly control: string
  readonly trace: TraceWriter | undefined
  /** Tells the kernel what it has to forget. @returns whether it was told */
  tell(notices: readonly Buffer[]): () => boolean
  /** Has `next` called after so many milliseconds. */
  wakeAfter(ms: number): void
  /** Milliseconds since 1970. */
  now(): number
}

/** A request that is answered later. */
interface Waiting {
  readonly request: Request
  /** When, in milliseconds since 1970; Infinity: when the rules change. */
  due: number
  /** Whether it can be answered, where that is not a matter of time. */
  readonly ready: (() => boolean) | undefined
  readonly rule: number
  interrupted: boolean
  answer(now: Moment): number
}

export class Glass {
  /** The request that is to be handled: the server reads into it. */
  readonly request = new Request(MOST_DATA + REQUEST_OVERHEAD)
  /** The reply that is to be sent. */
  readonly reply = new Reply(MOST_DATA + REPLY_HEADER)
  readonly #options: GlassOptions
  readonly #tree: Tree
  readonly #fileSystem: FileSystem
  readonly #control: Inode
  readonly #rules: Rules
  #waiting: Waiting[] = []
  /** When it will be called next, as far as it asked for that: milliseconds since 1970. */
  #wakesAt = 0
  /** Inodes whose pages the kernel is to forget, once the operation that is under way has been answered. */
  readonly #stale = new Set<Inode>()
  readonly #errors = new Map<number, number>()
  #operations = 0

  constructor(options: GlassOptions) {
    this.#options = options
    const now = momentOf(options.now())
    this.#tree = new Tree(options.blocks, options.owner, now)
    this.#fileSystem = new FileSystem(this.#tree)
    this.#control = new Inode(CONTROL, TYPE.regular | 0o600, options.owner, now, options.blocks, {
      isTargets: false,
    })
    this.#rules = new Rules(this.#tree)
  }

  /** Handles the request of so many bytes. @returns bytes of the reply; 0 where there is none, yet or at all */
  handle(length: number): number {
    const { request, reply } = this
    const refused = request.accept(length)
    if (refused === undefined) return 0
    if (refused < 0) return reply.finish(request, refused)
    const time = this.#options.now()
    const now = momentOf(time)
    if (request.node === CONTROL || this.#asksForControl())
      return this.#end(request, this.#onControl(), -1, time)
    const about = this.#rules.about(request.opcode)
    const rule = about === undefined ? undefined : this.#rules.match(request, about)
    if (rule !== undefined) return this.#underRule(rule, now, time)
    if (request.opcode === OP.interrupt) this.#interrupt()
    return this.#end(request, this.#fileSystem.perform(request, reply, now), -1, time)
  }

  /** Answers a request that waited and is due. @returns bytes of the reply; 0 where none is due */
  next(): number {
    if (this.#waiting.length === 0) return 0
    const time = this.#options.now()
    for (const waiting of this.#waiting) {
      const { request } = waiting
      const isDead = waiting.interrupted && isKilled(request.pid)
      if (!isDead && !(waiting.ready?.() ?? waiting.due <= time)) continue
      this.#waiting = this.#waiting.filter((each) => each !== waiting)
      const result = isDead ? -EINTR : waiting.answer(momentOf(time))
      return this.#end(request, result, waiting.rule, time)
    }
    this.#wakeForNext(time)
    return 0
  }

  /** Has itself called when the next one is due, unless that is seen to. */
  #wakeForNext(time: number): void {
    const due = Math.min(
      ...this.#waiting.map((each) => (each.interrupted ? time + INTERRUPTED_MS : each.due)),
    )
    if (due === Number.POSITIVE_INFINITY || (this.#wakesAt > time && this.#wakesAt <= due)) return
    this.#wakesAt = due
    this.#options.wakeAfter(Math.max(0, due - time))
  }

  #end(request: Request, result: number, rule: number, time: number): number {
    if (result === NO_REPLY) return 0
    if (request.node !== CONTROL) {
      this.#count(request, result)
      this.#options.trace?.add(request, this.reply, result, time, rule)
    }
    if (this.#stale.size > 0) this.#tellStale()
    return this.reply.finish(request, result)
  }

  #count(request: Request, result: number): void {
    const inode = this.#tree.node(request.node)
    if (inode === undefined || !inode.isTargets) return
    this.#operations += 1
    if (result < 0) this.#errors.set(-result, (this.#errors.get(-result) ?? 0) + 1)
  }

  #underRule(active: ActiveRule, now: Moment, time: number): number {
    const { request } = this
    const { rule, number } = active
    const { effect } = rule
    if (effect.do === 'delay' || effect.do === 'hang') {
      const copy = request.copy()
      const due = effect.do === 'hang' ? Number.POSITIVE_INFINITY : time + effect.ms
      this.#wait(copy, number, due, undefined, (then) => this.#fileSystem.perform(copy, this.reply, then))
      return 0
    }
    const { acted } = active
    const result = apply(effect, {
      fileSystem: this.#fileSystem,
      request,
      reply: this.reply,
      inode: this.#tree.node(request.node)!,
      now,
      rule: active,
      invalidate: (inode) => this.#stale.add(inode),
    })
    return this.#end(request, result, active.acted < acted ? -1 : number, time)
  }

  #wait(
    request: Request,
    rule: number,
    due: number,
    ready: (() => boolean) | undefined,
    answer: (now: Moment) => number,
  ): void {
    this.#waiting.push({ request, due, ready, rule, interrupted: false, answer })
  }

  /** A program that was interrupted waits on, as it would for a disk, unless it was killed. */
  #interrupt(): void {
    const low = this.request.u32(BODY)
    const high = this.request.u32(BODY + 4)
    for (const waiting of this.#waiting) {
      const { uniqueLow, uniqueHigh } = waiting.request
      if (uniqueLow === low && uniqueHigh === high) waiting.interrupted = true
    }
  }

  #tellStale(): void {
    this.#options.tell([...this.#stale].map(inodeNotice))
    this.#stale.clear()
  }

  #asksForControl(): boolean {
    const { request } = this
    return (
      request.opcode === OP.lookup && request.node === ROOT && request.name(BODY) === this.#options.control
    )
  }

  #onControl(): number {
    const { request, reply } = this
    switch (request.opcode) {
      case OP.lookup:
        return entryAnswer(reply, this.#control)
      case OP.getattr:
      case OP.setattr:
        return attributesAnswer(reply, this.#control)
      case OP.open:
        return openAnswer(reply, 0, this.#fileSystem.openHandle(this.#control), OPENED.directIo)
      case OP.write:
        return this.#command()
      case OP.read:
        return this.#readAnswer()
      case OP.release:
        return this.#fileSystem.release(request)
      case OP.forget:
      case OP.interrupt:
        return NO_REPLY
      case OP.flush:
      case OP.fsync:
        return 0
      default:
        return -EPERM
    }
  }

  #command(): number {
    const { request } = this
    const length = request.u32(BODY + 16)
    const handle = this.#fileSystem.handle(request.u64(BODY))
    if (handle === undefined) return -EINVAL
    const text = request.bytes.toString('utf8', BODY + 40, BODY + 40 + length)
    const notices: Buffer[] = []
    handle.answer = Buffer.from(JSON.stringify(this.#parseAndObey(text, notices)))
    const written = () => {
      this.reply.setU64(0, length)
      return 8
    }
    if (notices.length === 0) return written()
    const told = this.#options.tell(notices)
    this.#wait(request.copy(), -1, Number.POSITIVE_INFINITY, told, written)
    return NO_REPLY
  }

  #readAnswer(): number {
    const { request, reply } = this
    const answer = this.#fileSystem.handle(request.u64(BODY))?.answer
    if (answer === undefined) return -EINVAL
    const offset = request.u64(BODY + 8)
    const part = answer.subarray(offset, offset + Math.min(request.u32(BODY + 16), MOST_DATA))
    reply.fill(0, part)
    return part.length
  }

  #parseAndObey(text: string, notices: Buffer[]): Answer {
    let command: Command
    try {
      command = JSON.parse(text) as Command
    } catch (error) {
      return { error: (error as Error).message }
    }
    return this.#obey(command, notices)
  }

  #obey(command: Command, notices: Buffer[]): Answer {
    switch (command.command) {
      case 'add': {
        const number = this.#rules.add(command.rule, command.seed)
        this.#seeWhatRulesNeed(notices)
        return { number }
      }
      case 'remove':
        this.#rules.remove(command.number)
        this.#seeWhatRulesNeed(notices)
        for (const waiting of this.#waiting) if (waiting.rule === command.number) waiting.due = 0
        return { ok: true }
      case 'watch':
        this.#errors.clear()
        return { ok: true }
      case 'state':
        return this.#state()
      case 'cut': {
        const { files, names, inodes, entries } = this.#tree.cut()
        notices.push(...entries.map(entryNotice), ...inodes.map(inodeNotice))
        this.#operations = 0
        return { files, names }
      }
      case 'evict':
        for (const inode of this.#tree.nodes) {
          if (!inode.content?.isForsaken) continue
          inode.content.evict()
          notices.push(inodeNotice(inode))
        }
        return { ok: true }
      case 'flush':
        this.#options.trace?.flush()
        return { ok: true }
      default:
        return { error: 'there is no such command' }
    }
  }

  /**
   * While a rule is about reads, each has to reach us, and none from the page cache; so does each close. What was before is
   * kept from the time on at which a rule may show it.
   */
  #seeWhatRulesNeed(notices: Buffer[]): void {
    this.#options.blocks.keepsPrevious = this.#rules.all.some(({ rule }) => showsPrevious(rule.effect))
    const reads = this.#rules.about(OP.read) !== undefined
    const readsBefore = (this.#fileSystem.openFlags & OPENED.directIo) !== 0
    const closes = this.#rules.about(OP.flush) !== undefined
    this.#fileSystem.openFlags = (reads ? OPENED.directIo : OPENED.keepCache) | (closes ? 0 : OPENED.noFlush)
    if (!reads && !readsBefore) return
    for (const inode of this.#tree.nodes) if (inode.content !== undefined) notices.push(inodeNotice(inode))
  }

  #state(): State {
    return {
      rules: Object.fromEntries(this.#rules.all.map(({ number, met, acted }) => [number, { met, acted }])),
      errors: Object.fromEntries([...this.#errors].map(([errno, count]) => [errnoName(errno), count])),
      operations: this.#operations,
    }
  }
}

function momentOf(ms: number): Moment {
  const seconds = Math.floor(ms / 1000)
  return { seconds, nanoseconds: Math.floor((ms - seconds * 1000) * 1e6) }
}

/** Whether a thread was killed, or is gone: it waits for us, and so cannot end before it gets its answer. */
function isKilled(pid: number): boolean {
  let status: string
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return true // no such process
  }
  return [...status.matchAll(/^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)/gm)].some(
    ([, mask]) => (BigInt(`0x${mask}`) & KILLED) !== 0n,
  )
}
