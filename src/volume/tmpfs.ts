import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { command } from '../sandbox/command.js'
import { plainVolume } from './data.js'
import type { VolumeKind } from './volume.js'

/** tmpfs(5): a quota in bytes and in inodes, given by the kernel to anybody who may mount. fsync does nothing on it. */
export const tmpfs: VolumeKind = {
  kind: 'tmpfs',
  title: 'a size-limited tmpfs',
  needs: ['tmpfs'],
  minimumSize: 256 * 1024,
  defaultSize: 4 * 1024 * 1024,
  async mount(spec, place, owner) {
    const root = path.join(place, 'volume')
    await mkdir(root)
    const inodes = spec.inodes === undefined ? [] : [`nr_inodes=${spec.inodes}`]
    const options = [`size=${spec.size}`, ...inodes, 'mode=0711', 'nosuid', 'nodev'].join(',')
    await command('mount', '-n', '-t', 'tmpfs', '-o', options, 'lightning-chaos', root)
    return {
      ...(await plainVolume('tmpfs', root, owner)),
      unmount: async () => void (await command('umount', '-n', root)),
    }
  },
}
