/** This host for the length of a run: its isolation, its capabilities, and the janitor that outlives us. */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { HostError } from '../errors.js'
import { borrow, borrowable, giveBack, reserve } from './borrowed.js'
import { COMMAND_PATH } from './command.js'
import { detectIsolation } from './detect.js'
import type { Isolation } from './isolation.js'
import type { SandboxRequest } from './messages.js'
import type { Capability, Need } from './need.js'
import { ownerName } from './owner.js'
import { Sandbox, type SandboxOptions } from './sandbox.js'
import { killProcessesOf } from './strays.js'

const JANITOR = fileURLToPath(new URL('./janitor.js', import.meta.url))
const CAPABILITIES_TIMEOUT_MS = 60_000

/** A request as its caller sees it: where it runs is the host's business. */
type Request<R = SandboxRequest> = R extends SandboxRequest
  ? Omit<R, 'isolation' | 'owner' | 'slot' | 'borrowed'>
  : never

/** The process that outlives us. */
interface Janitor {
  /** Lets it do its work; false where it was killed before that was done. */
  finish(): Promise<boolean>
}

export class Host {
  readonly isolation: Isolation
  readonly #owner: string
  readonly #lender: string | undefined
  readonly #janitor: Janitor | undefined
  /** The next sandbox, started ahead; undefined where one needs a borrowed tmpfs, which there is only one of. */
  #next: Sandbox | undefined
  #slots = 0
  readonly #freeSlots: number[] = []

  private constructor(
    isolation: Isolation,
    owner: string,
    lender: string | undefined,
    janitor: Janitor | undefined,
    next: Sandbox | undefined,
  ) {
    this.isolation = isolation
    this.#owner = owner
    this.#lender = lender
    this.#janitor = janitor
    this.#next = next
  }

  /** @throws HostError where this host does not give the wanted isolation, or none at all */
  static async open(wanted?: Isolation): Promise<Host> {
    const isolation = await detectIsolation(wanted)
    const owner = ownerName()
    if (owner === undefined) {
      throw new HostError('there is no /proc/self/stat', { hint: 'mount -t proc proc /proc' })
    }
    const lender = isolation === 'none' ? await borrowable() : undefined
    if (lender !== undefined) await reserve(lender)
    // as an ordinary user in namespaces there is nothing that the kernel does not clean up
    const needsJanitor = isolation !== 'user' || process.geteuid?.() === 0
    const next = lender === undefined ? new Sandbox(isolation, owner) : undefined
    const janitor = needsJanitor ? await startJanitor(isolation, owner, lender) : undefined
    return new Host(isolation, owner, lender, janitor, next)
  }

  /** How many trials may run at a time: a borrowed tmpfs can be filled for one only. */
  get mostWorkers(): number {
    return this.isolation === 'none' ? 1 : Number.POSITIVE_INFINITY
  }

  /** Runs one request in a sandbox of its own. @throws SandboxError, InternalError: see Sandbox.exchange */
  async exchange(request: Request, options: SandboxOptions): Promise<void> {
    const slot = this.#freeSlots.pop() ?? this.#slots++
    const common = { isolation: this.isolation, owner: this.#owner, slot }
    try {
      if (this.#lender === undefined) return await this.#exchangeAhead({ ...request, ...common }, options)
      const borrowed = await borrow(this.#lender, this.#owner)
      try {
        await new Sandbox(this.isolation, this.#owner).exchange({ ...request, ...common, borrowed }, options)
      } finally {
        await killProcessesOf((owner) => owner === this.#owner)
        await giveBack(borrowed)
      }
    } finally {
      this.#freeSlots.push(slot)
    }
  }

  /** To start a sandbox takes longer than most steps of a trial: the next one is started while this one works. */
  async #exchangeAhead(request: SandboxRequest, options: SandboxOptions): Promise<void> {
    const sandbox = this.#next!
    this.#next = new Sandbox(this.isolation, this.#owner)
    await sandbox.exchange(request, options)
  }

  /** Tries each need for real. */
  async capabilities(needs: readonly Need[], signal: AbortSignal): Promise<readonly Capability[]> {
    if (needs.length === 0) return []
    let found: readonly Capability[] = []
    await this.exchange(
      { kind: 'capabilities', needs },
      {
        timeoutMs: CAPABILITIES_TIMEOUT_MS,
        signal,
        onMessage(message) {
          if ('capabilities' in message) found = message.capabilities
        },
      },
    )
    return found
  }

  /** Lets the janitor do its work and waits until it is done. Where it was killed, another one does it. */
  async close(): Promise<void> {
    await this.#next?.close()
    if (this.#janitor === undefined || (await this.#janitor.finish())) return
    const another = await startJanitor(this.isolation, this.#owner, this.#lender)
    await another.finish()
  }
}

async function startJanitor(
  isolation: Isolation,
  owner: string,
  lender: string | undefined,
): Promise<Janitor> {
  // a mount namespace of its own, to mount tracefs in where the host has not
  const prefix = isolation === 'root' ? ['unshare', '--mount'] : []
  const [program, ...args] = [
    ...prefix,
    process.execPath,
    JANITOR,
    owner,
    ...(lender === undefined ? [] : [lender]),
  ]
  const child = execa(program!, args, {
    reject: false,
    detached: true,
    cwd: '/',
    buffer: false,
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'ignore',
    env: { PATH: COMMAND_PATH, NODE_EXTRA_CA_CERTS: undefined },
  })
  child.stdin.on('error', () => {}) // it was killed: its exit tells so
  await Promise.race([once(child.stdout, 'data'), child])
  return {
    async finish() {
      child.stdin.end()
      return (await child).exitCode === 0
    },
  }
}
