/**
 * A directory that is read-only for whoever opens something in it from now on: a bind mount of it upon itself. To mount the
 * file system itself read-only is refused by the kernel while a writer is open.
 */
import { closeSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import { CommandError, command } from '../../sandbox/command.js'
import { RefusedError } from '../errors.js'
import { openPlace, procPath } from '../host/files.js'
import { type Mount, mounts } from '../host/mounts.js'
import { placeOf, withPlace } from '../host/place.js'
import { bootId } from '../host/processes.js'
import type { DrillPlan } from '../plan.js'
import { checkNothingMountedBelow, type Fault, needCapability } from './fault.js'

interface Covered {
  /** Numbers of the mounts that were at that point before. */
  readonly before: readonly number[]
}

export const readonly: Fault<Covered> = {
  title: 'A directory mounted read-only',
  errnos: ['EROFS'],
  capabilities: ['sys_admin', 'dac_read_search'],
  foresee(plan) {
    const { path: place } = placeOf(plan)
    needCapability('CAP_SYS_ADMIN', 'readonly')
    checkNothingMountedBelow(plan)
    checkNamespaces(plan)
    return {
      does: [
        `mounts ${place} upon itself, read-only (mount --bind, then remount,bind,ro)`,
        'a descriptor that is open keeps writing, and so does a process that has its working directory there',
      ],
      undoes: [
        `unmounts it; where that is in use, makes it writable first and then detaches it (umount --lazy)`,
      ],
    }
  },
  *save(plan) {
    yield { before: mountsAt(plan).map(({ id }) => id) }
  },
  async inject(plan) {
    await withPlace(plan, async (fd) => {
      await command('mount', '-n', '--no-canonicalize', '--bind', procPath(fd), procPath(fd))
    })
    await withTop(plan, (top) => remount(top, 'ro'))
    return { detail: `${placeOf(plan).path} is mounted upon itself, read-only` }
  },
  async undo(plan, saved) {
    const undone = (detail: string, ...failed: string[]) => ({ detail, left: [], failed })
    if (plan.bootId !== bootId()) return undone('mounts do not outlive a boot')
    const before = saved[0]?.before
    const { path: point } = placeOf(plan)
    if (before === undefined)
      return undone(
        'nothing was undone',
        `the journal does not say any more what was mounted at ${point} before`,
      )
    // under another name the mount would not be found, and be taken for gone
    await withPlace(plan, async () => {})
    let unmounted = 0
    for (; ours(plan, before) !== undefined; unmounted += 1) await unmount(plan)
    return undone(unmounted === 0 ? 'it is not mounted upon itself any more' : `${point} unmounted again`)
  },
}

/** In another mount namespace the mount may not be seen, or not be read-only. */
function checkNamespaces({ processes }: DrillPlan): void {
  const own = readlinkSync('/proc/self/ns/mnt')
  const other = processes.find(({ pid }) => readlinkSync(`/proc/${pid}/ns/mnt`) !== own)
  if (other === undefined) return
  throw new RefusedError(
    `${other.name} (${other.pid}) has a mount namespace of its own, which this mount would not reach`,
    {
      hint: 'do the drill in its container, or choose drill permissions',
    },
  )
}

function mountsAt(plan: DrillPlan): Mount[] {
  const { path: point } = placeOf(plan)
  return mounts().filter((mount) => mount.point === point)
}

/** Our mount, where it is the one on top. */
function ours(plan: DrillPlan, before: readonly number[]): Mount | undefined {
  const top = mountsAt(plan).at(-1)
  const isOurs = top !== undefined && !before.includes(top.id) && top.device === placeOf(plan).device
  return isOurs ? top : undefined
}

async function unmount(plan: DrillPlan): Promise<void> {
  const { path: point } = placeOf(plan)
  const parent = openPlace(path.dirname(point))
  // by its parent: a descriptor of what is mounted would itself keep it in use
  const target = `${procPath(parent)}/${path.basename(point)}`
  try {
    await command('umount', '-n', '--no-canonicalize', target)
  } catch (error) {
    if (!(error instanceof CommandError) || !/busy/.test(error.stderr)) throw error
    // what others have open there goes on through it, and may write again
    await withTop(plan, (top) => remount(top, 'rw'))
    await command('umount', '-n', '--no-canonicalize', '--lazy', target)
  } finally {
    closeSync(parent)
  }
}

async function withTop(plan: DrillPlan, use: (top: string) => Promise<unknown>): Promise<void> {
  const top = openPlace(placeOf(plan).path)
  try {
    await use(procPath(top))
  } finally {
    closeSync(top)
  }
}

async function remount(top: string, mode: 'ro' | 'rw'): Promise<void> {
  await command('mount', '-n', '--no-canonicalize', '-o', `remount,bind,${mode}`, 'none', top)
}
