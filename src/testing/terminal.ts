/** For tests of what happens in a terminal: a real one, and somebody who types. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

const PATIENCE_MS = 30_000

export class Terminal {
  readonly #child
  readonly #ended
  #output = ''

  /** @param command for a shell */
  constructor(command: string, options: { cwd: string; env?: Readonly<Record<string, string>> }) {
    const wide = `stty rows 40 cols 200; exec ${command}`
    this.#child = spawn('script', ['--quiet', '--flush', '--return', '--command', wide, '/dev/null'], {
      cwd: options.cwd,
      env: { ...process.env, TERM: 'xterm', CI: '', ...options.env },
    })
    this.#child.stdout.on('data', (chunk: Buffer) => (this.#output += chunk))
    this.#ended = once(this.#child, 'exit')
  }

  /** Waits for something to be there since the last keys. @returns its first group */
  async see(expected: RegExp): Promise<string> {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    for (;;) {
      const found = expected.exec(this.#output)
      if (found !== null) return found[1] ?? ''
      await once(this.#child.stdout, 'data', { signal }).catch(() => {
        throw new Error(`waited for ${expected}, and there was ${JSON.stringify(this.#output)}`)
      })
    }
  }

  /** Types keys, and waits for what has to come after them. @returns as see */
  async type(keys: string, expected: RegExp): Promise<string> {
    this.#output = ''
    this.#child.stdin.write(keys)
    return await this.see(expected)
  }

  /** Types the last keys. @returns the exit code */
  async end(keys: string): Promise<number | null> {
    this.#child.stdin.write(keys)
    const [code] = (await this.#ended) as [number | null]
    return code
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}
