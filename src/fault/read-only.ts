/** Faults that make the whole file system read-only. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { InternalError } from '../errors.js'
import { probeCreate } from '../evidence/probe.js'
import { command } from '../sandbox/command.js'
import type { FaultKind } from './fault.js'

export const readOnlyMount: FaultKind = {
  kind: 'read-only-mount',
  title:
    'The mount becomes read-only (the target has to be stopped: the kernel refuses while a writer is open)',
  family: 'read-only',
  errnos: ['EROFS'],
  refusals: ['permission', 'read-only'],
  needs: ['mount'],
  parameters: {},
  async inject(world) {
    const { root } = world.volume
    await command('mount', '-n', '-o', 'remount,bind,ro', root)
    return {
      detail: 'mount -o remount,bind,ro',
      probe: () => probeCreate(world.asTarget, world.volume.probes),
      async heal() {
        await command('mount', '-n', '-o', 'remount,bind,rw', root)
        return 'mount -o remount,bind,rw'
      },
    }
  },
}

export const fsError: FaultKind = {
  kind: 'fs-error',
  title: 'ext4 finds an error in itself and goes read-only under open writers (errors=remount-ro)',
  family: 'read-only',
  errnos: ['EROFS'],
  refusals: ['permission', 'read-only', 'io'],
  needs: ['fs-error'],
  volumes: ['ext4'],
  parameters: {},
  healsStopped: true,
  async inject(world) {
    const device = await world.volume.device?.()
    if (device === undefined) throw new InternalError('fs-error needs a volume on a block device')
    const trigger = path.join('/sys/fs/ext4', path.basename(device), 'trigger_fs_error')
    await writeFile(trigger, 'lightning-chaos')
    return {
      detail: `an error triggered in the ext4 on ${device}`,
      probe: () => probeCreate(world.asTarget, world.volume.probes),
      async heal() {
        await world.volume.remount()
        return 'the volume mounted again'
      },
    }
  },
}
