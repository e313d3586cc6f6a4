/** Unmounts one mount and no other, whatever has its name by then: who owns a directory above may exchange that for a link. */
import { closeSync } from 'node:fs'
import { command } from '../../sandbox/command.js'
import { UndoError } from '../errors.js'
import { attempt, mountId, openPlace, procPath } from './files.js'
import { type Mount, mountOf } from './mounts.js'

/**
 * By a descriptor of what is mounted, so that no name is followed; that is why it is detached (umount --lazy): nobody gets
 * there any more, and the kernel does the rest when the last one who has something open there is gone.
 * @throws UndoError where it is not what is found under its name
 */
export async function unmount(mount: Mount): Promise<void> {
  // what hides it by now is asked nothing, as it may never answer
  const isOnTop = mountOf(mount.point)?.id === mount.id
  const top = isOnTop ? attempt(() => openPlace(mount.point)) : undefined
  try {
    if (top === undefined || mountId(top) !== String(mount.id)) {
      throw new UndoError(
        `${mount.point} is something else by now: it, or a directory above it, was exchanged`,
      )
    }
    await command('umount', '-n', '--no-canonicalize', '--lazy', procPath(top))
  } finally {
    if (top !== undefined) closeSync(top)
  }
}
