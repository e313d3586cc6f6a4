import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { plainVolume } from './data.js'
import type { VolumeKind } from './volume.js'

/** A plain directory of the sandbox's private tmpfs: no quota, for faults that are about permissions. */
export const directory: VolumeKind = {
  kind: 'directory',
  title: 'a directory without a quota',
  needs: [],
  minimumSize: 0,
  defaultSize: 0,
  async mount(_spec, place, owner) {
    const root = path.join(place, 'volume')
    await mkdir(root, { mode: 0o711 })
    return {
      ...(await plainVolume('directory', root, owner)),
      unmount: async () => undefined,
    }
  },
}
