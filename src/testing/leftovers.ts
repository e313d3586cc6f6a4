/** What a run could leave behind on a host, and its processes. */
import { readdirSync, readFileSync } from 'node:fs'
import os from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/** Our processes carry this in their environment, and hand it on. */
export const MARK = 'LIGHTNING_CHAOS_TEST_MARK'
/** By then everything has been killed or has ended. */
const PATIENCE_MS = 30_000

/** @param memory where a run without namespaces borrows a directory */
export function hostState(memory = '/dev/shm') {
  return {
    mounts: read('/proc/self/mountinfo'),
    loops: namesIn('/sys/block').filter((name) => namesIn(`/sys/block/${name}/loop`).length > 0),
    temporary: ours(os.tmpdir()),
    memory: ours(memory),
    traces: ours('/sys/kernel/tracing/instances'),
    cgroups: namesIn('/sys/fs/cgroup'),
  }
}

export interface MarkedProcess {
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
  for (const deadline = Date.now() + PATIENCE_MS; marked(mark).length > 0; await sleep(20)) {
    if (Date.now() > deadline) throw new Error(`still there: ${marked(mark).map(({ command }) => command)}`)
  }
}

function ours(directory: string): string[] {
  return namesIn(directory).filter((name) => name.startsWith('lightning-chaos'))
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
