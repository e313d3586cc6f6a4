/** What every kind of volume shares: the target's directories on it, and the question how much room is left. */
import { chown, mkdir, statfs } from 'node:fs/promises'
import path from 'node:path'
import type { MountedVolume, VolumeSpace } from './volume.js'

interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Makes a directory that belongs to the target's user, on a freshly made file system. */
export async function ownedDirectory(root: string, name: 'data' | 'probes', owner: Owner): Promise<string> {
  const directory = path.join(root, name)
  await mkdir(directory, { mode: 0o755 })
  await chown(directory, owner.uid, owner.gid)
  return directory
}

/** Room as somebody without privileges sees it: statfs(2). */
export async function spaceOf(root: string): Promise<VolumeSpace> {
  const { bavail, bsize, ffree } = await statfs(root)
  return { freeBytes: bavail * bsize, freeInodes: ffree }
}

/** What a volume without a device is, once its root is there. */
export async function plainVolume(
  kind: 'tmpfs' | 'directory' | 'glass',
  root: string,
  owner: Owner,
): Promise<Omit<MountedVolume, 'unmount'>> {
  return {
    kind,
    root,
    data: await ownedDirectory(root, 'data', owner),
    probes: await ownedDirectory(root, 'probes', owner),
    space: () => spaceOf(root),
    remount: async () => undefined,
  }
}
