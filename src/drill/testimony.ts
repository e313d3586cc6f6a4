/** The tool's side of a witness. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Credentials } from './host/processes.js'
import type { Testimony } from './witness.js'

const WITNESS = fileURLToPath(new URL('./witness.js', import.meta.url))

/** Beyond what is left free, so that it meets the end. */
const BEYOND = 64 * 1024

export type { Testimony } from './witness.js'

/** A call that did not come back: what a frozen file system does to whoever writes. */
export const BLOCKED = 'BLOCKED'

const ENDED: readonly Testimony[] = [
  { what: 'write', tried: 'asking the witness, which has ended,', errno: 'ENDED' },
]

export class Witness {
  readonly #child
  readonly #waiting: ((answer: readonly Testimony[] | undefined) => void)[] = []
  #ended = false

  /** @param leave bytes, and inodes, that the fault leaves free */
  constructor(
    { uid, gid, groups }: Credentials,
    directory: string,
    leave: { readonly bytes: number; readonly inodes: number },
  ) {
    const args = [uid, gid, groups.join(','), directory, leave.bytes + BEYOND, leave.inodes].map(String)
    this.#child = spawn(process.execPath, [WITNESS, ...args], {
      detached: true, // Ctrl-C in our terminal is not for it: it has to tell what is there after the undo
      cwd: '/',
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    this.#child.stdin.on('error', () => {}) // it has ended, which its exit tells
    createInterface({ input: this.#child.stdout }).on('line', (line) =>
      this.#waiting.shift()?.(JSON.parse(line)),
    )
    this.#child.on('close', () => {
      this.#ended = true
      for (const answer of this.#waiting.splice(0)) answer(undefined)
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /**
   * Has it try. A call that does not come back in time is told as such, and its answer is not waited for; so is the end of the
   * witness, which proves nothing.
   */
  async testify(timeoutMs: number): Promise<readonly Testimony[]> {
    if (this.#ended) return ENDED
    const answer = new Promise<readonly Testimony[] | undefined>((resolve) => this.#waiting.push(resolve))
    this.#child.stdin.write('\n')
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<readonly Testimony[]>((resolve) => {
      timer = setTimeout(
        () => resolve([{ what: 'write', tried: `writing, for ${timeoutMs} ms`, errno: BLOCKED }]),
        timeoutMs,
      )
    })
    const testimony = await Promise.race([answer, late])
    clearTimeout(timer)
    return testimony ?? ENDED
  }

  close(): void {
    this.#child.stdin.end()
    this.#child.kill('SIGKILL')
  }
}
