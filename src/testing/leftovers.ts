/** What a run could leave behind on a host, and its processes. Other runs may be going on at the same time. */
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { INSTANCES } from '../evidence/kernel-trace.js'
import { DIRECTORY_PREFIX, freshPath } from './directory.js'

/** Our processes carry this in their environment, and hand it on. */
export const MARK = 'LIGHTNING_CHAOS_TEST_MARK'
/** By then everything has been killed or has ended. */
const PATIENCE_MS = 30_000

/** Remembers what a host is like, and tells what a run has added to it. */
export class HostWatch {
  /** Set as the TMPDIR of a run, this is where its temporary files would be. */
  readonly temporary = freshPath()
  readonly #memory: () => readonly string[]
  readonly #mounts = mounts()
  readonly #loops = loops()

  /** @param memory lists where a run without namespaces borrows a directory */
  constructor(memory: () => readonly string[] = () => []) {
    this.#memory = memory
    mkdirSync(this.temporary)
    chmodSync(path.dirname(this.temporary), 0o755)
    chmodSync(this.temporary, 0o777)
  }

  /** @param pid of the run's own process, by which its things are named */
  async left(pid: number): Promise<string[]> {
    const isOfRun = (name: string) => name.startsWith(`lightning-chaos-${pid}.`)
    return [
      ...mounts().filter((mount) => !this.#mounts.includes(mount)),
      ...namesIn(INSTANCES).filter(isOfRun),
      ...this.#memory(),
      ...namesIn(this.temporary),
      ...(await this.#newLoops()),
    ]
  }

  /** A loop device does not say whose it is, but that of another run will be gone soon. */
  async #newLoops(): Promise<string[]> {
    const added = () => loops().filter((loop) => !this.#loops.includes(loop))
    return (await until(() => added().length === 0)) ? [] : added()
  }
}

/** Other tests mount what they need below their own directories; a run puts nothing there. */
const OF_TESTS = path.join(tmpdir(), DIRECTORY_PREFIX)

function mounts(): string[] {
  return read('/proc/self/mountinfo')
    .split('\n')
    .filter((line) => !line.includes(` ${OF_TESTS}`))
}

function loops(): string[] {
  return namesIn('/sys/block').filter((name) => {
    const image = read(`/sys/block/${name}/loop/backing_file`)
    return image !== '' && !image.startsWith(OF_TESTS)
  })
}

interface MarkedProcess {
  readonly pid: number
  readonly command: string
}

/** The processes that were started with a mark, and all that these started. */
export function marked(mark: string): MarkedProcess[] {
  const pids = namesIn('/proc').map(Number).filter(Number.isInteger)
  return pids.flatMap((pid) => {
    const environment = read(`/proc/${pid}/environ`).split('\0')
    if (!environment.includes(`${MARK}=${mark}`)) return []
    return [{ pid, command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ') }]
  })
}

/** Waits until every marked process has ended. @throws where one does not */
export async function allEnded(mark: string): Promise<void> {
  if (await until(() => marked(mark).length === 0)) return
  throw new Error(`still there: ${marked(mark).map(({ command }) => command)}`)
}

/** Waits until something is so. @returns false where it does not become so in good time */
export async function until(isSo: () => boolean): Promise<boolean> {
  for (const deadline = Date.now() + PATIENCE_MS; !isSo(); await sleep(20)) {
    if (Date.now() > deadline) return false
  }
  return true
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch {
    return [] // not on this host
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return '' // the process ended, or is somebody else's
  }
}
