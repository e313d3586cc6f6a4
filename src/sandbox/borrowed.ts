/**
 * Without namespaces nothing can be mounted, but most containers have a small tmpfs, and a file of ballast on it
 * leaves as much room as a volume is to have. A directory there is borrowed for each trial.
 */
import { statfs } from 'node:fs/promises'

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
