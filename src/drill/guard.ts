/** The guard rails: what a drill is refused for, and what ends it early. */
import { existsSync, fstatSync, lstatSync, realpathSync, statfsSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { formatSize } from '../scenario/size.js'
import { RefusedError } from './errors.js'
import { groundOf } from './host/ground.js'
import { type Mount, mountOf, mounts, rootOf } from './host/mounts.js'
import { existingPart, readJournal } from './journal.js'
import type { FaultName, Place } from './plan.js'
import type { Probe } from './probe/probe.js'

/** Never, whatever is allowed: the host could not be used or undone any more. */
const NEVER = [
  '/',
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/lib',
  '/lib64',
  '/proc',
  '/run',
  '/sbin',
  '/sys',
  '/usr',
]
const NEVER_TYPES = [
  'proc',
  'sysfs',
  'cgroup',
  'cgroup2',
  'devtmpfs',
  'devpts',
  'securityfs',
  'tracefs',
  'debugfs',
]
/** There a file of a lower layer becomes another one as soon as it is changed: no undo can take that back. */
const OVERLAYS = ['overlay', 'aufs', 'fuse.fuse-overlayfs', 'fuse.unionfs', 'fuse.unionfs-fuse']
/** What the tool, the system's log and whoever has to help need to write to: none of it may stand still. */
const NEVER_FROZEN = ['/', '/usr', '/etc', '/var', '/var/log', '/tmp', '/run', '/home', '/root']
/** Only when allowed. */
const SYSTEM_MOUNTS = ['/', '/boot', '/boot/efi', '/etc', '/usr', '/var', '/var/log', '/run', '/tmp', '/home']

const ALLOW = 'if that is really meant: --allow-root-filesystem'

/** File or environment variable that says that this host is in production, beside those that the config names. */
const MARKERS = ['/etc/lightning-chaos/production', '$LIGHTNING_CHAOS_PRODUCTION']

export interface PlaceRules {
  readonly fault: FaultName
  readonly state: string
  readonly allowRootFilesystem: boolean
}

/** @throws RefusedError where a fault may not be at that place, by whatever mount it is reached */
export function checkPlace(place: Place, { fault, state, allowRootFilesystem }: PlaceRules): void {
  const { path, mountPoint, type, device } = place
  if (NEVER_TYPES.includes(type)) {
    throw new RefusedError(`${path} is on ${type}, which is a part of the system`)
  }
  if (OVERLAYS.includes(type)) {
    throw new RefusedError(`${path} is on an overlay, where a file that is changed becomes another one`, {
      hint: 'name a directory on a volume of its own, or choose drill pause, kill or fd-limit',
    })
  }
  if (fault === 'diskfull') {
    // a full disk is full for all of it: there the file system counts
    if (!allowRootFilesystem && isPartOfSystem(path))
      throw new RefusedError(`${path} is a part of the system`, { hint: ALLOW })
  } else if (NEVER.some((each) => isBelow(path, each)) || isPartOfSystem(path)) {
    throw new RefusedError(`${path} is a part of the system: it is never taken for the data of a service`)
  }
  if (`${state}/`.startsWith(`${path}/`) && fault !== 'diskfull') {
    throw new RefusedError(`${path} holds the undo journal of the drill itself (${state})`, {
      hint: 'give another directory for it: --state DIRECTORY',
    })
  }
  if (fault === 'stall') checkNotNeeded(place, state)
  if (allowRootFilesystem) return
  const hint = ALLOW
  const all = mounts()
  const system = all.find((mount) => SYSTEM_MOUNTS.includes(mount.point) && mount.device === device)
  if (system !== undefined) {
    const where = system.point === mountPoint ? '' : `, as ${mountPoint} is`
    throw new RefusedError(
      `${path} is on the file system at ${system.point}${where}, which the system needs`,
      {
        hint,
      },
    )
  }
  if (mountOf(existingPart(state), all)?.device === device) {
    throw new RefusedError(`${path} is on the same file system as the undo journal (${state})`, { hint })
  }
}

/** `/` is above everything, and only itself is meant. */
function isBelow(place: string, directory: string): boolean {
  return place === directory || (directory !== '/' && place.startsWith(`${directory}/`))
}

/** Whether it is one of those directories, or below one, by whatever mount: its file system, and the path in that, tell. */
function isPartOfSystem(place: string): boolean {
  const all = mounts()
  const [device, inside] = whereIn(place, all)
  return NEVER.some((each) => {
    const real = existsSync(each) ? realpathSync(each) : undefined
    if (real === undefined) return false
    const [otherDevice, otherInside] = whereIn(real, all)
    if (device !== otherDevice) return false
    return each === '/'
      ? inside === otherInside
      : inside === otherInside || inside.startsWith(`${otherInside}/`)
  })
}

function whereIn(place: string, all: readonly Mount[]): [device: string | undefined, inside: string] {
  const mount = mountOf(place, all)
  return [mount?.device, mount === undefined ? place : rootOf(place, mount)]
}

function checkNotNeeded({ path, device, id }: Place, state: string): void {
  const needed = [...NEVER_FROZEN, state, process.execPath, import.meta.filename, process.cwd(), tmpdir()]
  const all = mounts()
  const grounds = needed.map((each) => [each, groundOf(realpathSync(existingPart(each)), all)] as const)
  const isOutput = (fd: number) => String(fstatSync(fd).dev) === id.dev
  const needing =
    grounds.find(([, { devices }]) => devices.includes(device))?.[0] ??
    ([1, 2].some(isOutput) ? 'the output of this command' : undefined)
  const hint = 'there is no option to do it all the same: who would undo it?'
  if (needing !== undefined) {
    throw new RefusedError(`${needing} needs the file system of ${path}, which then may not stand still`, {
      hint,
    })
  }
  // what stands on an overlay itself is not below it
  const own = groundOf(path, all).devices
  const unseen = grounds.flatMap(([, ground]) => ground.unseen).find((each) => !own.includes(each.device))
  if (unseen === undefined) return
  throw new RefusedError(
    `the overlay at ${unseen.point} may need the file system of ${path}: its layers cannot be seen`,
    {
      hint: 'do it on the host itself, outside of the container',
    },
  )
}

/** @param named by the config: files, or environment variables as $NAME */
export function checkProduction(named: readonly string[]): void {
  const found = [...MARKERS, ...named].find((marker) =>
    marker.startsWith('$') ? (process.env[marker.slice(1)] ?? '') !== '' : mayBeThere(marker),
  )
  if (found !== undefined) {
    throw new RefusedError(`this host is marked as one in production: ${found}`, {
      hint: 'drills are for staging; there is no option to do one here',
    })
  }
}

/** What we may not look at may be there. */
function mayBeThere(file: string): boolean {
  try {
    lstatSync(file)
    return true
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
  }
}

export function checkNoneActive(state: string): void {
  const active = readJournal(state)
  if (active === undefined) return
  throw new RefusedError(
    `another drill is active: ${active.plan?.fault ?? 'one whose journal cannot be read'}`,
    {
      hint: "'lightning-chaos drill status' shows it, 'lightning-chaos drill undo' undoes it",
    },
  )
}

/** What ends a drill early. */
export interface Limits {
  /** Ends it when this works. */
  readonly abortIf?: Probe
  readonly maxLoad?: number
  /** Bytes that have to stay free on the other file systems that the host needs. */
  readonly minFreeElsewhere?: number
}

/** @returns why the drill has to end, in words; undefined where it may go on */
export async function reasonToEnd(
  { abortIf, maxLoad, minFreeElsewhere }: Limits,
  { place, state }: { readonly place: Place | undefined; readonly state: string },
  timeoutMs: number,
): Promise<string | undefined> {
  const load = loadavg()[0]!
  if (maxLoad !== undefined && load > maxLoad) return `the load is ${load.toFixed(1)}, more than ${maxLoad}`
  for (const other of minFreeElsewhere === undefined ? [] : ['/', state]) {
    if (mountOf(existingPart(other))?.device === place?.device) continue
    const { bavail, bsize } = statfsSync(existingPart(other))
    if (bavail * bsize < minFreeElsewhere!) return `only ${formatSize(bavail * bsize)} are free on ${other}`
  }
  if (abortIf !== undefined && (await abortIf.ask(timeoutMs)) === undefined)
    return `'${abortIf.name}' succeeded`
  return undefined
}
