/**
 * The inside of a sandbox, made ready: a private tmpfs for everything that a trial puts anywhere, and a /proc of
 * its own. Nothing here is undone by us: it is gone with the last process of the namespaces.
 */
import { existsSync, readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir } from 'node:fs/promises'
import path from 'node:path'
import { HostError } from '../errors.js'
import { command } from './command.js'
import type { Isolation } from './isolation.js'

/** Directories that every Linux has and that a target hardly lives in: one is covered by our private tmpfs. */
const MOUNT_POINTS = ['/dev/shm', '/mnt', '/media', '/srv']

export interface World {
  readonly isolation: Isolation
  /** An empty directory that is ours. */
  readonly place: string
  /** The host's /proc, where the sandbox has one of its own: it numbers processes as the kernel's trace does. */
  readonly hostProc: string | undefined
  /** Ends every process of the sandbox but this one. Only where the sandbox has a pid namespace. */
  killStrays(): Promise<void>
}

/** @param borrowed the directory to work in where there are no namespaces */
export async function enterWorld(isolation: Isolation, borrowed: string | undefined): Promise<World> {
  if (isolation === 'none') {
    if (borrowed === undefined)
      throw new HostError('without namespaces the sandbox needs a borrowed directory')
    return { isolation, place: borrowed, hostProc: undefined, killStrays: async () => undefined }
  }
  const mountPoint = MOUNT_POINTS.find((candidate) => existsSync(candidate))
  if (mountPoint === undefined) {
    throw new HostError(`none of ${MOUNT_POINTS.join(', ')} is there to mount a private tmpfs on`, {
      hint: `create one: mkdir ${MOUNT_POINTS[0]}`,
    })
  }
  await command('mount', '-n', '-t', 'tmpfs', '-o', 'mode=1777', 'lightning-chaos', mountPoint)
  const place = await mkdtemp(path.join(mountPoint, 'lightning-chaos-'))
  await chmod(place, 0o711)
  const hostProc = path.join(place, 'host-proc')
  await mkdir(hostProc)
  await command('mount', '-n', '--rbind', '/proc', hostProc)
  await command('mount', '-n', '-t', 'proc', 'proc', '/proc')
  return { isolation, place, hostProc, killStrays }
}

async function killStrays(): Promise<void> {
  for (;;) {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
    const strays = pids.filter((pid) => pid !== process.pid && isRunning(pid))
    if (strays.length === 0) return
    for (const pid of strays) kill(pid)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** False for a zombie: orphans are ours, as the first process here, and Node never reaps them. */
function isRunning(pid: number): boolean {
  try {
    return /^\d+ \(.*\) [^ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false // it ended since /proc was listed
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
