/**
 * A directory that is read-only for whoever opens something in it from now on: a bind mount of it upon itself. To mount the
 * file system itself read-only is refused by the kernel while a writer is open.
 */
import { readlinkSync } from 'node:fs'
import { command } from '../../sandbox/command.js'
import { RefusedError } from '../errors.js'
import { procPath } from '../host/files.js'
import { isWithin, type Mount, mountOf, mounts, mountsOf, rootOf } from '../host/mounts.js'
import { placeOf, withPlace } from '../host/place.js'
import { bootId, mountNamespace, mountNamespaces, processState } from '../host/processes.js'
import { unmount } from '../host/unmount.js'
import type { DrillPlan } from '../plan.js'
import { checkNothingMountedBelow, type Fault, isElsewhere, needCapability } from './fault.js'

interface Covered {
  /** Numbers of the mounts that were at that point before. */
  readonly before: readonly number[]
  /** The directory as its file system has it, whatever it is mounted at. */
  readonly root: string
  /** Mount namespaces that were there before. */
  readonly namespaces: readonly string[]
}

export const readonly: Fault<Covered> = {
  title: 'A directory mounted read-only',
  errnos: ['EROFS'],
  // to look at the mounts of others takes the right to trace them
  capabilities: ['sys_admin', 'dac_read_search', 'sys_ptrace'],
  foresee(plan) {
    const { path: place } = placeOf(plan)
    needCapability('sys_admin', 'readonly')
    checkNothingMountedBelow(plan)
    checkNamespaces(plan)
    return {
      does: [
        `mounts ${place} upon itself, read-only (mount --bind, then remount,bind,ro)`,
        'a descriptor that is open keeps writing, and so does a process that has its working directory there',
        ...otherWays(place).map((point) => `whoever reaches it by way of ${point} may go on writing`),
      ],
      undoes: [`makes it writable, and then detaches it (umount --lazy)`],
    }
  },
  *save(plan) {
    const { path: point } = placeOf(plan)
    const mount = mountOf(point)
    if (mount === undefined) throw new RefusedError(`${point} lies on no mount any more`)
    yield {
      before: mountsAt(plan).map(({ id }) => id),
      root: rootOf(point, mount),
      namespaces: [...mountNamespaces().keys()],
    }
  },
  async inject(plan) {
    await withPlace(plan, async (fd) => {
      await command('mount', '-n', '--no-canonicalize', '--bind', procPath(fd), procPath(fd))
    })
    await remount(plan, 'ro')
    return { detail: `${placeOf(plan).path} is mounted upon itself, read-only` }
  },
  async undo(plan, saved) {
    const undone = (detail: string, ...failed: string[]) => ({ detail, left: [], failed })
    if (plan.bootId !== bootId()) return undone('mounts do not outlive a boot')
    if (isElsewhere(plan)) return undone('its mount namespace is gone, and its mount with it')
    const [covered] = saved
    const { path: point } = placeOf(plan)
    if (covered === undefined)
      return undone(
        'nothing was undone',
        `the journal does not say any more what was mounted at ${point} before`,
      )
    // under another name the mount would not be found, and be taken for gone
    await withPlace(plan, async () => {})
    const found = ours(plan, covered)
    if (found === undefined) {
      const gone = `${point} is not mounted upon itself any more`
      return { ...undone(gone), gone }
    }
    const { own, above, below } = found
    if (above !== undefined) {
      return undone('nothing was undone', `something else is mounted over ${point} by now: ${UNMOUNT_FIRST}`)
    }
    if (below !== undefined) {
      await remount(plan, 'rw')
      const why = `${below.point} was mounted below it meanwhile: ${UNMOUNT_FIRST}`
      return undone(`${point} may be written again, and is still mounted upon itself`, why)
    }
    // what others have open there goes on through it, and may write again
    await remount(plan, 'rw')
    await unmount(own)
    return {
      detail: `${point} unmounted again`,
      left: copies(own, covered),
      failed: [],
      ...(own.options.includes('ro') ? {} : { gone: `${point} could be written again` }),
    }
  },
}

/** mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS": those that each mount has for itself. */
const MOUNT_FLAGS = ['nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime', 'nosymfollow']
const UNMOUNT_FIRST = 'unmount that first'

/** Other mount points that lead to the same directory. */
function otherWays(place: string): string[] {
  const all = mounts()
  const mount = mountOf(place, all)
  if (mount === undefined) return []
  const root = rootOf(place, mount)
  return all.flatMap((each) => {
    const leadsThere = each.device === mount.device && isWithin(root, each.root)
    return leadsThere && !isWithin(place, each.point) ? [each.point] : []
  })
}

/** In another mount namespace the mount may not be seen, or not be read-only. */
function checkNamespaces({ processes }: DrillPlan): void {
  const own = mountNamespace()
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

interface Found {
  readonly own: Mount
  /** What others have mounted over it, and below it. */
  readonly above: Mount | undefined
  readonly below: Mount | undefined
}

/** What else is like it was mounted upon it, by somebody else. */
function ours(plan: DrillPlan, { before, root }: Covered): Found | undefined {
  const { device } = placeOf(plan)
  const at = mountsAt(plan)
  const index = at.findIndex(
    (each) => !before.includes(each.id) && each.device === device && each.root === root,
  )
  const own = at[index]
  if (own === undefined) return undefined
  const below = mounts().find(({ parent, point }) => parent === own.id && point !== own.point)
  return { own, above: at[index + 1], below }
}

/** Whoever copied all mounts meanwhile has ours among them: a container that was started. */
function copies({ device, root }: Mount, { namespaces }: Covered): string[] {
  return [...mountNamespaces()].flatMap(([namespace, pid]) => {
    if (namespaces.includes(namespace)) return []
    const name = processState(pid)?.name
    const copy = mountsOf(pid).find(
      (each) => each.device === device && isWithin(each.root, root) && each.options.includes('ro'),
    )
    if (copy === undefined || name === undefined) return []
    return [
      `${name} (${pid}) was started meanwhile in a container, and has ${copy.point} read-only until it is started again`,
    ]
  })
}

/** What is on top there, with what else holds for it (nosuid, nodev, noexec …), which a remount has to name again. */
async function remount(plan: DrillPlan, mode: 'ro' | 'rw'): Promise<void> {
  const kept =
    mountsAt(plan)
      .at(-1)
      ?.options.filter((option) => MOUNT_FLAGS.includes(option)) ?? []
  const options = ['remount', 'bind', mode, ...kept].join(',')
  await withPlace(plan, async (top) => {
    await command('mount', '-n', '--no-canonicalize', '-o', options, 'none', procPath(top))
  })
}
