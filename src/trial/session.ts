/** The target's life in a trial: processes started and ended, the data directory opened and closed. */
import { TargetGone, TargetProcess } from '../target/child.js'
import type { DataOp, Hello, OpenMode, TargetError } from '../target/protocol.js'
import { TimedLog } from '../target/timed-log.js'
import type { Mix } from '../workload/workload.js'
import type { Recorder } from './recorder.js'

export interface SessionOptions {
  /** Program and arguments, with the identity and the data directory in place. */
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly cwd: string
  readonly data: string
  readonly answerMs: number
  readonly recorder: Recorder
  /** Called with each new process; it is asked to open the directory when that is done. */
  onProcess(pid: number): Promise<void>
  /** Called when a process has ended: ends what it left behind. */
  killStrays(): Promise<void>
}

/** Bytes of the target's stderr that are kept. */
const LOG_SIZE = 256 * 1024

export class Session {
  readonly #options: SessionOptions
  readonly #log: TimedLog
  #process: TargetProcess | undefined
  #mode: OpenMode | undefined
  #hello: Hello | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#log = new TimedLog(LOG_SIZE, () => options.recorder.elapsed)
  }

  /** The process, where one is running and has the directory open. */
  get open(): TargetProcess | undefined {
    return this.#mode === undefined ? undefined : this.#process
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  get mode(): OpenMode | undefined {
    return this.#mode
  }

  /** What the target said of itself when it was first started. */
  get hello(): Hello | undefined {
    return this.#hello
  }

  /** The end of the target's stderr. */
  get log(): string {
    return this.#log.toString()
  }

  supports(op: DataOp): boolean {
    return this.#hello?.ops.includes(op) ?? false
  }

  /** What of a mix the target can do. */
  supported(mix: Mix): Mix {
    const optional = (op: 'delete' | 'batch') => (this.supports(op) ? mix[op] : 0)
    return { ...mix, delete: optional('delete'), batch: optional('batch') }
  }

  /** Starts a process, where none is running, and opens the directory. */
  async start(): Promise<void> {
    const { recorder } = this.#options
    if (this.#process === undefined) {
      const started = this.#spawn()
      this.#process = started
      const known = started.pid === undefined ? undefined : this.#options.onProcess(started.pid)
      try {
        const [hello] = await Promise.all([started.hello(), known])
        this.#hello = hello
      } catch (error) {
        ignoreGone(error)
        return await this.settled()
      }
      recorder.record({
        type: 'process',
        action: 'start',
        detail: `${this.#hello.name} ${this.#hello.version}`,
      })
    }
    await this.#openDirectory()
  }

  /** Closes the directory and opens it again, in the same process. */
  async reopen(): Promise<void> {
    if (this.#process === undefined) return this.start()
    await this.#close(this.#process)
    await this.#openDirectory()
  }

  async stop(): Promise<void> {
    const ending = this.#process
    if (ending === undefined) return
    if (this.#mode !== undefined) this.#options.recorder.record({ type: 'close' })
    this.#mode = undefined
    await ending.stop()
    await this.#options.killStrays()
  }

  async kill(): Promise<void> {
    this.#mode = undefined
    await this.#process?.kill()
    await this.#options.killStrays()
  }

  /** Waits until the end of a process that is gone is written down, so that it stands before whatever comes next. */
  async settled(): Promise<void> {
    if (this.#process?.gone) await this.#process.kill()
  }

  #spawn(): TargetProcess {
    const { command, environment, cwd, answerMs, recorder } = this.#options
    const started = TargetProcess.start({
      command,
      environment,
      cwd,
      answerMs,
      onLog: (chunk) => this.#log.push(chunk),
      onEnd: (end) => {
        if (end.action === 'not-started') return // hello rejects with the error
        recorder.record({ type: 'process', action: end.action, detail: end.detail })
        this.#process = undefined
        this.#mode = undefined
      },
    })
    return started
  }

  async #openDirectory(): Promise<void> {
    if (this.#process === undefined || this.#mode !== undefined) return
    const { recorder, data } = this.#options
    try {
      const response = await this.#process.request({ op: 'open', dir: data })
      if (response.ok) {
        this.#mode = response.mode ?? 'read-write'
        recorder.record({ type: 'open', ok: true, mode: this.#mode })
      } else {
        recorder.record({ type: 'open', ok: false, error: response.error })
      }
    } catch (error) {
      ignoreGone(error)
      recorder.record({ type: 'open', ok: false, error: goneWhileOpening(error) })
      await this.settled()
    }
  }

  async #close(closing: TargetProcess): Promise<void> {
    if (this.#mode === undefined) return
    this.#mode = undefined
    this.#options.recorder.record({ type: 'close' })
    try {
      await closing.request({ op: 'close' })
    } catch (error) {
      ignoreGone(error)
      await this.settled()
    }
  }
}

/** A target that is gone is told by its `process` event; everything else is ours. */
function ignoreGone(error: unknown): asserts error is TargetGone {
  if (!(error instanceof TargetGone)) throw error
}

function goneWhileOpening(error: TargetGone): TargetError {
  return { code: 'GONE', kind: 'internal', recoverable: false, message: `while opening: ${error.detail}` }
}
