/**
 * Without namespaces nothing can be mounted, but most containers have a small tmpfs, and a file of ballast on it
 * leaves as much room as a volume is to have. A directory there is borrowed for each trial.
 */
import { once } from 'node:events'
import { mkdir, rm, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { HostError } from '../errors.js'
import { INSTANCE_PREFIX } from '../evidence/kernel-trace.js'
import { command } from './command.js'

/** Where to look, and the largest file system that we would fill: its pages are memory. */
const CANDIDATES = ['/dev/shm', '/run/user', '/tmp']
const LARGEST = 512 * 1024 * 1024
/** statfs(2). */
const TMPFS_MAGIC = 0x01021994

/** A directory on a tmpfs that is small enough to be filled; undefined where there is none. */
export async function borrowable(): Promise<string | undefined> {
  for (const candidate of CANDIDATES) {
    try {
      const { type, blocks, bsize } = await statfs(candidate)
      if (type === TMPFS_MAGIC && blocks * bsize <= LARGEST) return candidate
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return undefined
}

/**
 * Keeps other runs away from a tmpfs, which can be filled for one trial at a time. The lock is a socket in the
 * abstract namespace, which is gone with us: unix(7).
 * @throws HostError where another run has it
 */
export async function reserve(lender: string): Promise<void> {
  const lock = createServer().unref()
  lock.listen(`\0lightning-chaos${lender}`)
  try {
    await once(lock, 'listening')
  } catch (cause) {
    throw new HostError(`another run is using ${lender}, which can be filled for one trial at a time`, {
      cause,
      hint: 'wait until that run has ended; with namespaces, any number can run at once',
    })
  }
}

/** Makes a directory that names its run, so that whoever finds it later knows whether it was left behind. */
export async function borrow(lender: string, owner: string): Promise<string> {
  const directory = path.join(lender, `${INSTANCE_PREFIX}${owner}-${Date.now()}`)
  await mkdir(directory, { mode: 0o711 })
  return directory
}

/** Removes a borrowed directory with all that is in it, also what a fault took the permission for. */
export async function giveBack(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
    await command('chmod', '-R', 'u+rwx', directory)
    await rm(directory, { recursive: true, force: true })
  }
}
