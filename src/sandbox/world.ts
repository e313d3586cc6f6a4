/**
 * The inside of a sandbox, made ready: a private tmpfs for everything that a trial puts anywhere, and a /proc of
 * its own. Nothing here is undone by us: it is gone with the last process of the namespaces.
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp } from 'node:fs/promises'
import path from 'node:path'
import { HostError } from '../errors.js'
import { command } from './command.js'
import type { Isolation } from './isolation.js'
import { killAll, killProcessesOf } from './strays.js'

/** Directories that every Linux has and that hardly anything lives in: one is covered by our private tmpfs. */
const MOUNT_POINTS = ['/dev/shm', '/mnt', '/media', '/srv']

export interface World {
  readonly isolation: Isolation
  /** An empty directory that is ours. */
  readonly place: string
  /** The host's /proc, where the sandbox has one of its own: it numbers processes as the kernel's trace does. */
  readonly hostProc: string | undefined
  /**
   * Ends every process of the sandbox but this one; without a pid namespace, every one that is known for one.
   * @param except one that is left alone
   */
  killStrays(except?: number): Promise<void>
}

export interface WorldOptions {
  readonly isolation: Isolation
  /** Names the run. */
  readonly owner: string
  /** The directory to work in where there are no namespaces. */
  readonly borrowed?: string
  /** Paths that have to stay as they are. */
  readonly inUse: readonly string[]
}

/** @throws HostError where there is no directory to mount on */
export async function enterWorld({ isolation, owner, borrowed, inUse }: WorldOptions): Promise<World> {
  if (isolation === 'none') {
    if (borrowed === undefined)
      throw new HostError('without namespaces the sandbox needs a borrowed directory')
    const killStrays = () => killProcessesOf((run) => run === owner)
    return { isolation, place: borrowed, hostProc: undefined, killStrays }
  }
  const mountPoint = MOUNT_POINTS.find((candidate) => existsSync(candidate) && !holdsAny(candidate, inUse))
  if (mountPoint === undefined) {
    throw new HostError(
      `none of ${MOUNT_POINTS.join(', ')} is there, and not in use, to mount a private tmpfs on`,
      {
        hint: `create one: mkdir ${MOUNT_POINTS[1]}`,
      },
    )
  }
  await command('mount', '-n', '-t', 'tmpfs', '-o', 'mode=1777', 'lightning-chaos', mountPoint)
  const place = await mkdtemp(path.join(mountPoint, 'lightning-chaos-'))
  await chmod(place, 0o711)
  const hostProc = path.join(place, 'host-proc')
  await mkdir(hostProc)
  await command('mount', '-n', '--rbind', '/proc', hostProc)
  await command('mount', '-n', '-t', 'proc', 'proc', '/proc')
  return { isolation, place, hostProc, killStrays: (except) => killAll((pid) => pid !== except) }
}

function holdsAny(directory: string, paths: readonly string[]): boolean {
  return paths.some((each) => each === directory || each.startsWith(`${directory}/`))
}
