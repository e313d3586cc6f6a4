/** A file system of nobody's (FUSE) that never answers: whoever asks it for anything waits, and cannot be killed. For root. */
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { command, commandWithDescriptor } from '../sandbox/command.js'

/** Why there can be none here; undefined where there can. */
export const NO_HUNG_MOUNT = existsSync('/dev/fuse') ? undefined : 'no /dev/fuse'

/**
 * Mounts one.
 * @param whose others may not even look at it where it is its user's alone: root has EACCES then, and does not wait
 * @returns what unmounts it, and gives an error to whoever waits
 */
export async function mountHung(
  point: string,
  whose: 'everybody' | 'its user alone',
): Promise<() => Promise<void>> {
  const device = await open('/dev/fuse', 'r+')
  const others = whose === 'everybody' ? ',allow_other' : ''
  const options = `fd=3,rootmode=40000,user_id=65534,group_id=65534,nosuid,nodev${others}`
  const argv = [
    'mount',
    '-i',
    '-n',
    '--no-canonicalize',
    '-t',
    'fuse.hung',
    '-o',
    options,
    'hung',
    point,
  ] as const
  try {
    await commandWithDescriptor(device.fd, ...argv)
  } catch (error) {
    await device.close()
    throw error
  }
  return async () => {
    await device.close()
    await command('umount', '-n', '--no-canonicalize', '--lazy', point)
  }
}
