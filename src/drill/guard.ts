/** The guard rails: what a drill is refused for, and what ends it early. */
import { fstatSync, lstatSync, realpathSync, statfsSync, statSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import path from 'node:path'
import { formatSize } from '../scenario/size.js'
import { RefusedError } from './errors.js'
import { mountOf, mounts } from './host/mounts.js'
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
/** What the tool, the system's log and whoever has to help need to write to: none of it may stand still. */
const NEVER_FROZEN = ['/', '/usr', '/etc', '/var', '/var/log', '/tmp', '/run', '/home', '/root']
/** Only when allowed. */
const SYSTEM_MOUNTS = ['/', '/boot', '/boot/efi', '/etc', '/usr', '/var', '/var/log', '/run', '/tmp', '/home']

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
  if (type === 'overlay') {
    throw new RefusedError(`${path} is on an overlay, where a file that is changed becomes another one`, {
      hint: 'name a directory on a volume of its own, or choose drill pause, kill or fd-limit',
    })
  }
  // a full disk is full for all of it: there the file system counts
  const isAllowed = fault === 'diskfull' && allowRootFilesystem
  if (!isAllowed && isPartOfSystem(path)) {
    throw new RefusedError(`${path} is a part of the system: it is never taken for the data of a service`)
  }
  if (`${state}/`.startsWith(`${path}/`) && fault !== 'diskfull') {
    throw new RefusedError(`${path} holds the undo journal of the drill itself (${state})`, {
      hint: 'give another directory for it: --state DIRECTORY',
    })
  }
  if (fault === 'stall') checkNotNeeded(place, state)
  if (allowRootFilesystem) return
  const hint = 'if that is really meant: --allow-root-filesystem'
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

/** Whether it, or what it lies in, is one of those directories, under this name or another (a bind mount). */
function isPartOfSystem(place: string): boolean {
  const isSame = (a: string, b: string) => {
    const [one, other] = [a, b].map((each) => statSync(each, { bigint: true, throwIfNoEntry: false }))
    return one !== undefined && one.dev === other?.dev && one.ino === other.ino
  }
  const isOne = (directory: string) => NEVER.some((each) => each !== '/' && isSame(directory, each))
  return isSame(place, '/') || withParents(place).some(isOne)
}

function withParents(directory: string): string[] {
  return directory === '/' ? [] : [directory, ...withParents(path.dirname(directory))]
}

function checkNotNeeded({ path, device, id }: Place, state: string): void {
  const needed = [...NEVER_FROZEN, state, process.execPath, import.meta.filename, process.cwd(), tmpdir()]
  const isOutput = (fd: number) => String(fstatSync(fd).dev) === id.dev
  const frozen =
    needed.find((each) => mountOf(realpathSync(existingPart(each)))?.device === device) ??
    ([1, 2].some(isOutput) ? 'the output of this command' : undefined)
  if (frozen === undefined) return
  throw new RefusedError(`${path} is on the same file system as ${frozen}, which may not stand still`, {
    hint: 'there is no option to do it all the same: who would undo it?',
  })
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
