/** Starts the process inside a sandbox and talks with it. Outside there is nothing to undo: see isolation.ts. */
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { ChaosError, type ExitCode, InternalError } from '../errors.js'
import { COMMAND_PATH, workingDirectory } from './command.js'
import { isolationPrefix } from './isolation.js'
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

/**
 * Runs one request in a sandbox of its own.
 * @throws SandboxError where the sandboxed process reported one; SandboxTimeout; InternalError where it died
 */
export async function runInSandbox(request: SandboxRequest, options: SandboxOptions): Promise<void> {
  const [program, ...prefix] = [...isolationPrefix(request.isolation), process.execPath, INSIDE]
  const child = execa(program!, prefix, {
    reject: false,
    buffer: false,
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    // a session of its own, so that Ctrl-C reaches us alone, and we decide what becomes of it
    detached: true,
    cwd: workingDirectory(),
    timeout: options.timeoutMs,
    killSignal: 'SIGKILL',
    cancelSignal: options.signal,
    env: { PATH: COMMAND_PATH, [OWNER_VARIABLE]: request.owner },
  })
  const say = (line: SandboxRequest | SandboxFarewell) => child.stdin.write(`${JSON.stringify(line)}\n`)
  child.stdin.on('error', () => {}) // the process is gone: its exit tells why
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-4096)
  })
  say(request)
  let reported: SandboxError | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    const message = JSON.parse(line) as SandboxMessage
    if ('error' in message) reported = fromReport(message.error)
    else options.onMessage(message, say)
  }
  const { exitCode, timedOut, isCanceled, shortMessage } = await child
  options.signal.throwIfAborted()
  if (reported !== undefined) throw reported
  if (timedOut)
    throw new SandboxTimeout(`the sandbox did not end within ${options.timeoutMs} ms, and was killed`)
  if (exitCode !== 0 || isCanceled) {
    throw new InternalError(`the sandbox died: ${stderr.trim() || shortMessage || `exit code ${exitCode}`}`)
  }
}

function fromReport(error: Extract<SandboxMessage, { error: unknown }>['error']): SandboxError {
  const cause = Object.assign(new Error(error.message), { name: error.name, stack: error.stack })
  return new SandboxError(error.message, error.exitCode as ExitCode, {
    cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  })
}
