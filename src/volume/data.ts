/** What every kind of volume shares: the target's directory on it, and the question how much room is left. */
import { chown, mkdir, statfs } from 'node:fs/promises'
import path from 'node:path'
import type { VolumeSpace } from './volume.js'

/** Makes the target's own directory on a freshly made file system. */
export async function makeData(root: string, owner: { uid: number; gid: number }): Promise<string> {
  const data = path.join(root, 'data')
  await mkdir(data, { mode: 0o755 })
  await chown(data, owner.uid, owner.gid)
  return data
}

/** Room as somebody without privileges sees it: statfs(2). */
export async function spaceOf(root: string): Promise<VolumeSpace> {
  const { bavail, bsize, ffree } = await statfs(root)
  return { freeBytes: bavail * bsize, freeInodes: ffree }
}
