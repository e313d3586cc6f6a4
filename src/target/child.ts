/** One target process: starts it, asks it, and tells how it ended. Nothing that a target does can hang the tool. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { LineSplitter } from './lines.js'
import type { Hello, Request, Response } from './protocol.js'
import { TargetNotStarted } from './start-error.js'
import { Tail } from './tail.js'
import { checkResponse, helloFrom } from './validate.js'

/** Longest line that a target may answer, in bytes. A scan has to ask for few enough entries. */
const LONGEST_LINE = 16 * 1024 * 1024

/** How much of its stderr is kept, in bytes. */
const LOG_SIZE = 64 * 1024

/**
 * How a target process ended. `crash`: by itself, when nobody asked it to. `kill`: by `kill()`. `stop`: by
 * `stop()`. `hang`: it did not answer, or not end, in time. `garbage`: it said something that is not the protocol.
 */
export type TargetEnd =
  | { readonly action: 'crash' | 'kill' | 'stop' | 'hang' | 'garbage'; readonly detail: string }
  | { readonly action: 'not-started'; readonly detail: string; readonly error: TargetNotStarted }

/** A request that got no answer and never will: whether it happened is unknown. */
export class TargetGone extends Error {
  readonly reason: 'exit' | 'timeout' | 'garbage' | 'kill'
  readonly detail: string

  constructor(reason: TargetGone['reason'], detail: string) {
    super(`the target is gone: ${detail}`)
    this.name = 'TargetGone'
    this.reason = reason
    this.detail = detail
  }
}

interface TargetProcessOptions {
  /** Program and arguments, ready to run: `{dir}` is already replaced. */
  readonly command: readonly string[]
  /** The whole environment; nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>
  readonly cwd: string
  /** Longest wait for one answer, and for the exit after a close, in milliseconds. */
  readonly answerMs: number
  /** Called with everything that comes on stderr. */
  onLog?(chunk: Buffer): void
  /** Called exactly once, when the process is really gone and every request was settled. */
  onEnd(end: TargetEnd): void
}

interface Pending {
  readonly request: Request
  /** On the clock of `performance.now()`. */
  readonly deadline: number
  resolve(response: Response): void
  reject(error: Error): void
}

/** Why a target that broke the rules is killed. */
interface Sentence {
  readonly action: 'hang' | 'garbage'
  readonly detail: string
}

export class TargetProcess {
  readonly #options: TargetProcessOptions
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines = new LineSplitter(LONGEST_LINE)
  readonly #log = new Tail(LOG_SIZE)
  readonly #ended: Promise<void>
  #tellEnded!: () => void
  /** By id, so in the order in which they were sent, so in the order of their deadlines. */
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  #unsent: string[] = []
  #sweeper: NodeJS.Timeout | undefined
  #bytesRead = 0
  #stopped: Promise<void> | undefined
  #killed = false
  #sentence: Sentence | undefined
  /** Why requests are refused from now on. */
  #gone: Error | undefined

  /**
   * Starts the process. A program that is not there, or may not be run, is told by `onEnd` and to every request.
   *
   * @throws TargetNotStarted where the system refuses the command itself (a zero byte, too long)
   */
  static start(options: TargetProcessOptions): TargetProcess {
    return new TargetProcess(options)
  }

  private constructor(options: TargetProcessOptions) {
    this.#options = options
    this.#ended = new Promise((resolve) => {
      this.#tellEnded = resolve
    })
    this.#child = spawnGroup(options)
    this.#child.on('error', (error) => this.#notStarted(error))
    // Without a process there may be no streams either (EMFILE), whatever the types say.
    if (this.#child.pid === undefined) return
    this.#child.on('exit', (code, signal) => this.#drain(code, signal))
    this.#child.stdout.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#log.push(chunk)
      options.onLog?.(chunk)
    })
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
      // EPIPE and the like: what they mean is told by the exit, or by the answer that does not come.
      stream.on('error', () => {})
    }
  }

  /** Undefined where the process could not be started. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Whether every further request will be refused. Its end may not have been told yet: `kill` waits for that. */
  get gone(): boolean {
    return this.#gone !== undefined
  }

  /** The last 64 KiB of the target's stderr. */
  log(): string {
    return this.#log.toString()
  }

  /** Asks the target who it is. Rejects as `request` does. */
  async hello(): Promise<Hello> {
    return helloFrom(await this.request({ op: 'hello' }))
  }

  /**
   * Sends a request; any number may be under way. Resolves with the target's answer, which may well be an error.
   *
   * @throws TargetGone where no answer will come; TargetNotStarted where there never was a process
   */
  request(request: Request): Promise<Response> {
    return this.#stopped === undefined ? this.#ask(request) : this.#refuse('the target was being stopped')
  }

  /** Kills the process and all that it forked into its group; resolves when it is really gone. */
  kill(): Promise<void> {
    if (this.#gone === undefined) {
      this.#killed = true
      this.#gone = new TargetGone('kill', 'killed with SIGKILL')
      this.#signalGroup()
    }
    return this.#ended
  }

  /** Closes the store, ends stdin and waits for the exit; a target that does not end in time is killed. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    if (this.#gone !== undefined) return this.#ended
    // Whatever it answers, or that it ends instead of answering, is told by its end.
    await this.#ask({ op: 'close' }).catch(() => {})
    this.#child.stdin.end()
    const { answerMs } = this.#options
    const patience = setTimeout(() => {
      this.#condemn({ action: 'hang', detail: `did not exit within ${answerMs} ms of the end of its stdin` })
    }, answerMs)
    await this.#ended
    clearTimeout(patience)
  }

  #ask(request: Request): Promise<Response> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone)
    const id = this.#nextId++
    if (this.#unsent.push(`{"id":${id},${JSON.stringify(request).slice(1)}\n`) === 1) {
      process.nextTick(() => this.#send())
    }
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + this.#options.answerMs
      this.#pending.set(id, { request, deadline, resolve, reject })
      this.#sweeper ??= setTimeout(() => this.#sweep(), this.#options.answerMs)
    })
  }

  #refuse(detail: string): Promise<never> {
    return Promise.reject(this.#gone ?? new TargetGone('exit', detail))
  }

  /** One write for all that was asked in this turn of the event loop. */
  #send(): void {
    const text = this.#unsent.join('')
    this.#unsent = []
    if (this.#gone === undefined) this.#child.stdin.write(text)
  }

  #read(chunk: Buffer): void {
    this.#bytesRead += chunk.length
    if (this.#sentence !== undefined) return
    if (!this.#lines.push(chunk, (line) => this.#answer(line))) {
      this.#garbage(`more than ${LONGEST_LINE} bytes on stdout without a newline`)
    }
  }

  /** Takes in one line; false where it is not the protocol. */
  #answer(line: string): boolean {
    let body: unknown
    try {
      body = JSON.parse(line)
    } catch {
      return this.#garbage(`not JSON: ${excerpt(line)}`)
    }
    const id = (body as { id?: unknown } | null)?.id
    const pending = this.#pending.get(id as number)
    if (pending === undefined) {
      const known = typeof id === 'number' && Number.isInteger(id) && id > 0 && id < this.#nextId
      const mistake = known ? 'a second answer to one request' : 'an answer to a request that was never made'
      return this.#garbage(`${mistake}: ${excerpt(line)}`)
    }
    const checked = checkResponse(pending.request, body)
    if ('mistake' in checked) {
      return this.#garbage(`answer to ${pending.request.op}: ${checked.mistake}: ${excerpt(line)}`)
    }
    this.#pending.delete(id as number)
    pending.resolve(checked.response)
    return true
  }

  #garbage(detail: string): false {
    this.#condemn({ action: 'garbage', detail })
    return false
  }

  /** One timer for all requests: it waits for the oldest one's deadline. */
  #sweep(): void {
    // Where this process itself was held up, the answer may be waiting to be read: one turn for that.
    setImmediate(() => {
      this.#sweeper = undefined
      const oldest = this.#pending.values().next().value
      if (oldest === undefined || this.#gone !== undefined) return
      const left = oldest.deadline - performance.now()
      if (left > 0) {
        this.#sweeper = setTimeout(() => this.#sweep(), left)
      } else {
        const detail = `no answer to ${oldest.request.op} within ${this.#options.answerMs} ms`
        this.#condemn({ action: 'hang', detail })
      }
    })
  }

  #condemn(sentence: Sentence): void {
    if (this.#sentence !== undefined) return
    this.#sentence = sentence
    this.#abandon(new TargetGone(sentence.action === 'hang' ? 'timeout' : 'garbage', sentence.detail))
    this.#signalGroup()
  }

  #abandon(error: Error): void {
    this.#gone = error
    for (const pending of this.#pending.values()) pending.reject(error)
    this.#pending.clear()
  }

  /**
   * Reads what the process said before it ended, which is all in the pipe by now. The end of the pipe is not waited
   * for, as a grandchild may hold it open for ever: a turn of the event loop that brings nothing is enough.
   */
  #drain(code: number | null, signal: NodeJS.Signals | null): void {
    this.#signalGroup()
    const untilQuiet = (before: number): void => {
      const quiet = before === this.#bytesRead || this.#sentence !== undefined
      if (quiet) this.#end(code, signal)
      else setImmediate(untilQuiet, this.#bytesRead)
    }
    setImmediate(untilQuiet, -1)
  }

  #end(code: number | null, signal: NodeJS.Signals | null): void {
    const end = this.#sentence ?? this.#verdict(code, signal)
    const reason = end.action === 'kill' ? 'kill' : 'exit'
    this.#finish(end, this.#gone ?? new TargetGone(reason, end.detail))
  }

  #notStarted(cause: Error): void {
    const error = new TargetNotStarted(this.#options.command, this.#options.cwd, cause)
    this.#finish({ action: 'not-started', detail: error.message, error }, error)
  }

  #finish(end: TargetEnd, error: Error): void {
    this.#abandon(error)
    clearTimeout(this.#sweeper)
    for (const stream of this.#child.stdio) stream?.destroy()
    // In a turn of its own, so that those whose requests were just rejected are heard first.
    setImmediate(() => {
      this.#options.onEnd(end)
      this.#tellEnded()
    })
  }

  #verdict(code: number | null, signal: NodeJS.Signals | null): TargetEnd {
    const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`
    if (this.#killed && signal === 'SIGKILL') return { action: 'kill', detail: how }
    if (this.#stopped !== undefined && code === 0) return { action: 'stop', detail: how }
    const words = lastWords(this.log())
    return {
      action: 'crash',
      detail: words === undefined ? how : `${how}; its last words: ${excerpt(words)}`,
    }
  }

  #signalGroup(): void {
    try {
      process.kill(-this.#child.pid!, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

function spawnGroup({ command, cwd, environment }: TargetProcessOptions): ChildProcessWithoutNullStreams {
  const [program = '', ...args] = command
  try {
    // A process group of its own, so that what it forked dies with it.
    return spawn(program, args, { cwd, env: environment, detached: true })
  } catch (error) {
    throw new TargetNotStarted(command, cwd, error)
  }
}

/** The last line that speaks of an error, else the last of all: stack traces and banners say less. */
function lastWords(log: string): string | undefined {
  const lines = log.split('\n').filter((line) => line.trim() !== '' && !/^\s*at /.test(line))
  return lines.findLast((line) => /error|exception|fatal|panic/i.test(line)) ?? lines.at(-1)
}

function excerpt(text: string): string {
  const shown = text.length > 160 ? `${text.slice(0, 160)}…` : text
  return JSON.stringify(shown)
}
