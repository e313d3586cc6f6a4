import { mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { plainVolume, spaceOf } from './data.js'
import { tmpfs } from './tmpfs.js'
import type { VolumeKind } from './volume.js'

/**
 * A quota without a mount: a directory on a small tmpfs that is there already, and ballast that leaves as much room
 * on it as the volume is to have. The ballast has no name, so it is gone with the process that holds it.
 */
export const borrowed: VolumeKind = {
  ...tmpfs,
  title: 'a directory on a small tmpfs of the host, with ballast for a quota',
  async mount(spec, place, owner) {
    const root = path.join(place, 'volume')
    await mkdir(root, { mode: 0o711 })
    const ballast = await open(path.join(root, 'quota'), 'wx', 0o600)
    await rm(path.join(root, 'quota'))
    let excess = (await spaceOf(root)).freeBytes - spec.size
    for (const zeros = Buffer.alloc(1024 * 1024); excess > 0; excess -= zeros.length) {
      await ballast.write(zeros, 0, Math.min(excess, zeros.length))
    }
    return {
      ...(await plainVolume('tmpfs', root, owner)),
      async unmount() {
        await ballast.close()
        await rm(root, { recursive: true })
      },
    }
  },
}
