/** The tool's side of the commands: see commands.ts. */
import { type FileHandle, open } from 'node:fs/promises'
import { InternalError } from '../errors.js'
import type { Added, Command, CutAnswer, State } from './commands.js'
import type { Rule } from './rules.js'

/** Largest answer, in bytes. */
const ANSWER = 1024 * 1024

export class GlassClient {
  readonly #control: string

  /** @param control path of the file that commands are written to */
  constructor(control: string) {
    this.#control = control
  }

  /** Puts a rule beside those that are on. @param seed of what is drawn at random @returns its number */
  async add(rule: Rule, seed: string): Promise<number> {
    return ((await this.#say({ command: 'add', rule, seed })) as Added).number
  }

  async remove(number: number): Promise<void> {
    await this.#say({ command: 'remove', number })
  }

  /** Counts errors from now on. */
  async watch(): Promise<void> {
    await this.#say({ command: 'watch' })
  }

  async state(): Promise<State> {
    return (await this.#say({ command: 'state' })) as State
  }

  /** Cuts the power. Nothing but the tool may be running. */
  async cut(): Promise<CutAnswer> {
    return (await this.#say({ command: 'cut' })) as CutAnswer
  }

  /** Loses the page cache. */
  async evict(): Promise<void> {
    await this.#say({ command: 'evict' })
  }

  /** Has the trace written to its file as far as it goes. */
  async flushTrace(): Promise<void> {
    await this.#say({ command: 'flush' })
  }

  async #say(command: Command): Promise<unknown> {
    const file = await open(this.#control, 'r+')
    try {
      const answer = await exchange(file, JSON.stringify(command))
      if (typeof answer === 'object' && answer !== null && 'error' in answer)
        throw new InternalError(`glass refused ${command.command}: ${String(answer.error)}`)
      return answer
    } finally {
      await file.close()
    }
  }
}

async function exchange(file: FileHandle, command: string): Promise<unknown> {
  await file.write(command, 0)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(ANSWER), 0, ANSWER, 0)
  return JSON.parse(buffer.toString('utf8', 0, bytesRead))
}
