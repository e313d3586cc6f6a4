/**
 * The target's files, listed and changed without following a symlink anywhere on the way: each part of a path is
 * opened by itself, relative to the directory that was opened before it, as openat(2) does with O_NOFOLLOW. A target
 * may put a link anywhere, and we may be root.
 */
import { constants } from 'node:fs'
import { chmod, chown, type FileHandle, open, readdir } from 'node:fs/promises'
import path from 'node:path'

export interface Entry {
  /** Relative to the directory that was walked; '' is that directory itself. */
  readonly name: string
  readonly isDirectory: boolean
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** In bytes. */
  readonly size: number
}

/** open(2): a descriptor for the place alone, which asks for no permission on the file. Node has no name for it. */
const O_PATH = 0o10000000

/** The directory itself (first), and the directories and regular files below it. */
export async function walk(root: string): Promise<Entry[]> {
  // recursive without following: for a Dirent, a link to a directory is no directory
  const below = await readdir(root, { recursive: true, withFileTypes: true })
  const names = below.map((each) => path.relative(root, path.join(each.parentPath, each.name)))
  const found: Entry[] = []
  for (const name of ['', ...names.sort()]) {
    await withOpen(root, name, async (handle) => {
      const stat = await handle.stat()
      if (!stat.isFile() && !stat.isDirectory()) return
      const { mode, uid, gid, size } = stat
      found.push({ name, isDirectory: stat.isDirectory(), mode: mode & 0o7777, uid, gid, size })
    })
  }
  return found
}

/** Gives a file or directory another mode, and another owner where one is named. One that is gone stays gone. */
export async function change(
  root: string,
  { name, isDirectory }: Entry,
  { mode, owner }: { mode: number; owner?: { uid: number; gid: number } },
): Promise<void> {
  await withOpen(root, name, async (handle) => {
    const stat = await handle.stat()
    if (isDirectory ? !stat.isDirectory() : !stat.isFile()) return // something else has its name by now
    const self = `/proc/self/fd/${handle.fd}`
    if (owner !== undefined) await chown(self, owner.uid, owner.gid)
    await chmod(self, mode)
  })
}

async function withOpen(
  root: string,
  name: string,
  use: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  let handle = await open(root, O_PATH | constants.O_NOFOLLOW)
  try {
    for (const part of name === '' ? [] : name.split(path.sep)) {
      const next = await open(`/proc/self/fd/${handle.fd}/${part}`, O_PATH | constants.O_NOFOLLOW)
      await handle.close()
      handle = next
    }
    await use(handle)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error // the target removed it meanwhile
  } finally {
    await handle.close()
  }
}
