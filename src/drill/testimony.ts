/** The tool's side of a witness. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { COMMAND_PATH } from '../sandbox/command.js'
import type { Credentials } from './host/processes.js'
import type { Testimony } from './witness.js'

const WITNESS = fileURLToPath(new URL('./witness.js', import.meta.url))

/** Beyond what is left free, so that it meets the end. */
const BEYOND = 64 * 1024

export type { Testimony } from './witness.js'

/** A call that did not come back: what a frozen file system does to whoever writes. */
export const BLOCKED = 'BLOCKED'

/** A witness that is not there any more, or says what none would say. */
export const ENDED = 'ENDED'

const NO_TESTIMONY: readonly Testimony[] = [
  { what: 'write', tried: 'asking the witness, which has ended,', errno: ENDED },
]

export class Witness {
  readonly #child
  readonly #waiting: ((answer: readonly Testimony[] | undefined) => void)[] = []
  #ended = false

  /** @param leave bytes, and inodes, that the fault leaves free */
  constructor(
    credentials: Credentials,
    directory: string,
    leave: { readonly bytes: number; readonly inodes: number },
  ) {
    const { uid, gid, groups } = credentials
    const args = [uid, gid, groups.join(','), directory, leave.bytes + BEYOND, leave.inodes].map(String)
    const [program, ...rest] = withCapabilities(credentials, [process.execPath, WITNESS, ...args])
    this.#child = spawn(program!, rest, {
      detached: true, // Ctrl-C in our terminal is not for it: it has to tell what is there after the undo
      cwd: '/',
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: COMMAND_PATH }, // ours is not for the user that it becomes
    })
    this.#child.stdin.on('error', () => {}) // it has ended, which its exit tells
    this.#child.on('error', () => {}) // it could not be started, which is an end as well
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const testimony = testimonyIn(line)
      if (testimony === undefined) this.close()
      else this.#waiting.shift()?.(testimony)
    })
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
    if (this.#ended) return NO_TESTIMONY
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
    return testimony ?? NO_TESTIMONY
  }

  close(): void {
    this.#child.kill('SIGKILL')
    // one that waits for a disk does not end, and is not waited for
    this.#child.unref()
    this.#child.stdin.destroy()
    this.#child.stdout.destroy()
  }
}

/** @returns undefined where that is no testimony: a witness has the rights of others, and is not simply believed */
export function testimonyIn(line: string): readonly Testimony[] | undefined {
  let said: unknown
  try {
    said = JSON.parse(line)
  } catch {
    return undefined
  }
  return Array.isArray(said) && said.length > 0 && said.every(isTestimony) ? said : undefined
}

function isTestimony(said: Partial<Testimony> | null): boolean {
  const { what, tried, errno } = said ?? {}
  return (
    typeof what === 'string' && typeof tried === 'string' && (errno === null || typeof errno === 'string')
  )
}

/**
 * For a process of the service that has more rights than its user by itself, or root with fewer: it becomes that user, and
 * keeps them. To do so, and to read its own program, it has those for that as well.
 */
function withCapabilities({ uid, capabilities }: Credentials, argv: readonly string[]): readonly string[] {
  const isPlain = capabilities === undefined || (uid !== 0 && capabilities.length === 0)
  if (isPlain || process.geteuid?.() !== 0) return argv
  const kept = ['setuid', 'setgid', 'dac_read_search', ...capabilities].map((name) => `,+${name}`).join('')
  return [
    'setpriv',
    '--inh-caps=-all',
    `--bounding-set=-all${kept}`,
    '--securebits=+no_setuid_fixup',
    ...argv,
  ]
}
