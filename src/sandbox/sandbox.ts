/** Starts the process inside a sandbox and talks with it. Outside there is nothing to undo: see isolation.ts. */
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { ChaosError, type ExitCode, InternalError } from '../errors.js'
import { COMMAND_PATH, workingDirectory } from './command.js'
import { type Isolation, isolationPrefix } from './isolation.js'
import type { SandboxFarewell, SandboxMessage, SandboxRequest } from './messages.js'
import { OWNER_VARIABLE } from './strays.js'

const INSIDE = fileURLToPath(new URL('./inside.js', import.meta.url))

/** What the sandboxed process reported of itself: an error of ours, told across a process boundary. */
export class SandboxError extends ChaosError {
  readonly code = 'SANDBOX'
  readonly exitCode: ExitCode

  constructor(message: string, exitCode: ExitCode, options: { hint?: string; cause?: unknown }) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** A sandbox took longer than it may. */
export class SandboxTimeout extends InternalError {
  override readonly code = 'SANDBOX_TIMEOUT'
}

export interface SandboxOptions {
  /** Longest that the whole may take, in milliseconds. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  onMessage(message: SandboxMessage, answer: (farewell: SandboxFarewell) => void): void
}

/** The process inside a sandbox, which waits for its one request. */
export class Sandbox {
  readonly #child
  readonly #lines: AsyncIterableIterator<string>
  #stderr = ''

  /** @param owner names the run */
  constructor(isolation: Isolation, owner: string) {
    const [program, ...args] = [...isolationPrefix(isolation), process.execPath, INSIDE]
    this.#child = execa(program!, args, {
      reject: false,
      buffer: false,
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
      // a session of its own, so that Ctrl-C reaches us alone, and we decide what becomes of it
      detached: true,
      cwd: workingDirectory(),
      // in there is no network; to read the certificates for one takes longer than all else at the start of a Node process
      env: { PATH: COMMAND_PATH, [OWNER_VARIABLE]: owner, NODE_EXTRA_CA_CERTS: undefined },
    })
    // listened to from the start: a sandbox that was killed before its request would never be heard to end
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    this.#child.stdin.on('error', () => {}) // the process is gone: its exit tells why
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-4096)
    })
  }

  /**
   * Has one request done, to the end of the process.
   * @throws SandboxError where the sandboxed process reported one; SandboxTimeout; InternalError where it died
   */
  async exchange(request: SandboxRequest, { timeoutMs, signal, onMessage }: SandboxOptions): Promise<void> {
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      this.#kill()
    }, timeoutMs)
    const onAbort = () => this.#kill()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    try {
      const reported = await this.#talk(request, onMessage)
      const { exitCode, shortMessage } = await this.#child
      signal.throwIfAborted()
      if (reported !== undefined) throw reported
      if (timedOut) throw new SandboxTimeout(`the sandbox did not end within ${timeoutMs} ms, and was killed`)
      if (exitCode !== 0) {
        throw new InternalError(
          `the sandbox died: ${this.#stderr.trim() || shortMessage || `exit code ${exitCode}`}`,
        )
      }
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Ends a sandbox that was never asked anything. */
  async close(): Promise<void> {
    this.#child.stdin.end()
    await this.#child
  }

  async #talk(
    request: SandboxRequest,
    onMessage: SandboxOptions['onMessage'],
  ): Promise<SandboxError | undefined> {
    const say = (line: SandboxRequest | SandboxFarewell) =>
      this.#child.stdin.write(`${JSON.stringify(line)}\n`)
    say(request)
    let reported: SandboxError | undefined
    for await (const line of this.#lines) {
      const message = JSON.parse(line) as SandboxMessage
      if ('error' in message) reported = fromReport(message.error)
      else onMessage(message, say)
    }
    return reported
  }

  #kill(): void {
    this.#child.kill('SIGKILL')
  }
}

function fromReport(error: Extract<SandboxMessage, { error: unknown }>['error']): SandboxError {
  const cause = Object.assign(new Error(error.message), { name: error.name, stack: error.stack })
  return new SandboxError(error.message, error.exitCode as ExitCode, {
    cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  })
}
