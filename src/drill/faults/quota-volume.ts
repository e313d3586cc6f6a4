/**
 * A small volume in the place of a directory, with a copy of what is in it, for a service that is stopped and started around
 * that: so a disk that others need is not filled. What the service writes there is thrown away in the end.
 */
import { closeSync, existsSync, mkdirSync, openSync, rmdirSync, rmSync, statfsSync } from 'node:fs'
import path from 'node:path'
import { UsageError } from '../../errors.js'
import { CommandError, command, pipe } from '../../sandbox/command.js'
import { formatSize } from '../../scenario/size.js'
import { RefusedError } from '../errors.js'
import { call, callInTime } from '../host/call.js'
import { isGone, openPlace, procPath, walk } from '../host/files.js'
import { textOf } from '../host/kernel.js'
import { type Mount, mountOf, mounts } from '../host/mounts.js'
import { placeOf, withPlace } from '../host/place.js'
import {
  bootId,
  descendants,
  isRunning,
  type ProcessState,
  processesWith,
  processState,
  usersOf,
  usersOn,
} from '../host/processes.js'
import { unmount } from '../host/unmount.js'
import { until } from '../host/wait.js'
import { existingPart } from '../journal.js'
import { DRILL_VARIABLE, type DrillPlan, drillMark, type SmallVolume } from '../plan.js'
import { checkNothingMountedBelow, type Fault, isElsewhere, needCapability, type Undone } from './fault.js'
import { named } from './process.js'

/** Of a volume, what its file system takes for itself at most: a part, and bytes. */
const OVERHEAD = 0.15
const LEAST = 4 * 1024 * 1024
/** Of the file system that it lies on, what a volume may take of what is free. */
const MOST_OF_ROOM = 0.8
/** What each inode of a volume stands for: as much as each file is counted with at least. */
const BYTES_PER_INODE = 4096
/** Longest that an undo waits for the start, which is the last that it does. */
const LAST_START_MS = 30_000
/** For a service, after its command, until it has closed its files, or opened them. */
const SETTLING = { milliseconds: 5000, stepMs: 100 }
/** For the kernel, until it has let go of a loop device. */
const LETTING_GO = { milliseconds: 1000, stepMs: 100 }
/** Of the service, which lives on: it is none of the programs that an undo has to end. */
const WITHOUT_MARK = { [DRILL_VARIABLE]: undefined }

/** For the reader of the journal: the plan says it all. */
type Saved = SmallVolume & { readonly path: string }

export const quotaVolume: Fault<Saved> = {
  title: 'A small volume in the place of a directory',
  errnos: [],
  // the service is started from here
  capabilities: ['all'],
  foresee(plan) {
    const { path: at } = placeOf(plan)
    const { size, stop, start, directory } = volumeOf(plan)
    needCapability('sys_admin', 'quota-volume')
    checkNothingMountedBelow(plan)
    const needed = bytesIn(at)
    if (size < LEAST || needed > size * (1 - OVERHEAD)) {
      throw new UsageError(
        `a volume of ${formatSize(size)} does not hold the ${formatSize(needed)} of ${at}`,
        {
          hint: `give it more: --size ${formatSize(Math.max(LEAST, Math.ceil(needed * 1.5)))}`,
        },
      )
    }
    const room = freeIn(existingPart(path.dirname(directory)))
    if (size > room * MOST_OF_ROOM) {
      throw new UsageError(
        `a volume of ${formatSize(size)} takes too much of the ${formatSize(room)} that are free in ${path.dirname(directory)}`,
        { hint: 'give it less (--size), or another directory (--state)' },
      )
    }
    return {
      does: [
        `stops the service: ${stop.join(' ')}`,
        `copies ${formatSize(needed)} of ${at} to an ext4 of ${formatSize(size)} in ${directory}, and mounts that over it`,
        `starts the service again: ${start.join(' ')}`,
      ],
      undoes: [
        'stops the service, unmounts, removes the volume, and starts the service with what it had before',
        'what it writes meanwhile is thrown away',
      ],
    }
  },
  *save(plan) {
    yield { ...volumeOf(plan), path: placeOf(plan).path }
  },
  async inject(plan, _saved, abort) {
    const { size, directory, start } = volumeOf(plan)
    const image = path.join(directory, 'image')
    const volume = path.join(directory, 'volume')
    // there as long as something may have to be undone
    mkdirSync(directory, { mode: 0o700 })
    const steps = [
      () => stopSomebody(plan, abort),
      () => makeImage(image, size),
      () =>
        command(
          'mkfs.ext4',
          '-q',
          '-F',
          '-m',
          '0',
          '-E',
          'lazy_itable_init=0,lazy_journal_init=0,nodiscard',
          '-i',
          String(BYTES_PER_INODE),
          image,
        ),
      async () => mkdirSync(volume),
      () => command('mount', '-n', '-o', 'loop,nosuid,nodev', image, volume),
      async () => rmdirSync(path.join(volume, 'lost+found')),
      () => withPlace(plan, (fd) => copy(procPath(fd), volume)),
      () =>
        withPlace(plan, (fd) => command('mount', '-n', '--no-canonicalize', '--bind', volume, procPath(fd))),
      () => callInTime(start, WITHOUT_MARK, abort),
      () => until(() => serviceOn(plan).length > 0, { ...SETTLING, abort }),
    ]
    for (const step of steps) if (!abort.aborted) await step()
    return { detail: abort.aborted ? 'not as a whole: it is to be undone already' : inWords(plan) }
  },
  async undo(plan) {
    const { path: at } = placeOf(plan)
    const { directory, start } = volumeOf(plan)
    // what is mounted there needs that image, which would be removed
    if (plan.bootId === bootId()) isElsewhere(plan)
    if (!existsSync(directory))
      return stillCovered(plan) ?? { detail: 'the volume is gone', left: [], failed: [] }
    const volume = path.join(directory, 'volume')
    const own = volumeMount(plan)
    const other = own && mountedUpon(own)
    if (other !== undefined) {
      const failed = [`${other.point} was mounted upon the volume meanwhile: unmount that first`]
      return { detail: 'nothing was undone', left: [], failed }
    }
    // wherever that is by now: a directory above it may have got another name
    const cover = () => mounts().findLast(({ point, device }) => device === own?.device && point !== volume)
    const users = () => (own === undefined ? [] : usersOn(own))
    const isCovered = cover() !== undefined
    if (isCovered) await endService(plan, users)
    const holders = users()
    for (let found = cover(); found !== undefined; found = cover()) await unmount(found)
    const still = stillCovered(plan)
    if (still !== undefined) return still
    if (own !== undefined) await unmount(own)
    const image = path.join(directory, 'image')
    rmSync(image, { force: true })
    removeEmpty(volume)
    const late = await call(start, WITHOUT_MARK, AbortSignal.timeout(LAST_START_MS))
    removeEmpty(directory)
    return {
      detail: `${at} is what it was, and the service was started`,
      left: [
        ...(own === undefined ? [] : await stillHeld(own, image, holders)),
        ...(late === undefined
          ? []
          : [
              `'${start.join(' ')}' has not come back after ${LAST_START_MS / 1000} s, and goes on (${late})`,
            ]),
      ],
      failed: [],
      ...(isCovered ? {} : { gone: `the volume was not mounted over ${at} any more` }),
    }
  },
  observe(plan) {
    return serviceOn(plan).length === 0 ? undefined : { sign: 'QUOTA', detail: inWords(plan) }
  },
}

/** The volume, as it is mounted in the state directory; undefined where it is not. */
function volumeMount(plan: DrillPlan): Mount | undefined {
  const volume = path.join(volumeOf(plan).directory, 'volume')
  return mounts().find(({ point }) => point === volume)
}

/** What somebody else has mounted upon a volume, below some place of it, which would be detached with it, or over it. */
function mountedUpon({ device }: Mount): Mount | undefined {
  const all = mounts()
  const points = all.filter((each) => each.device === device).map(({ point }) => point)
  const others = [
    // over it, or over a directory above it
    ...points.map((point) => mountOf(point, all)),
    ...all.filter(({ point }) => points.some((each) => point.startsWith(`${each}/`))),
  ]
  return others.find((each) => each?.device !== device)
}

/** Many stop commands fail where the service has ended by itself, as it may on a full volume: then it is stopped. */
async function endService(plan: DrillPlan, users: () => readonly ProcessState[]): Promise<void> {
  const failed = await stopService(plan).catch((error: Error) => error)
  const isStopped = await until(() => users().length === 0, SETTLING)
  if (failed !== undefined && !isStopped) throw failed
}

/**
 * Who was started since this process was, and is on the volume: the service, which was started again. Whoever was there
 * before it, a shell or a shipper of logs, proves nothing, nor does what this drill asks.
 */
function serviceOn(plan: DrillPlan): ProcessState[] {
  const own = volumeMount(plan)
  if (own === undefined) return []
  const since = Number(processState(process.pid)!.start)
  const asked = startedByTool(plan)
  return usersOn(own).filter(({ pid, start }) => Number(start) >= since && !asked.has(pid))
}

/** What the tool has started, its watchdog and what that one has started left out: probes, and what ends the drill. */
function startedByTool(plan: DrillPlan): ReadonlySet<number> {
  const watchdogs = processesWith(drillMark(plan))
  const tool = watchdogs.includes(process.pid) ? process.ppid : process.pid
  const all = descendants(new Set([tool, ...watchdogs]))
  return new Set(all.flatMap(({ pid, ancestor }) => (ancestor === tool ? [pid] : [])))
}

function inWords(plan: DrillPlan): string {
  const { size, directory } = volumeOf(plan)
  const service = serviceOn(plan)
  const who =
    service.length === 0 ? 'no process that was started on it has anything' : `${named(service)} has files`
  const free = formatSize(freeIn(path.join(directory, 'volume')))
  return `${placeOf(plan).path} is a volume of ${formatSize(size)}, of which ${free} are free; ${who} open there`
}

/** Where the volume cannot be told any more, by its mount in the state directory, and lies over the directory still. */
function stillCovered(plan: DrillPlan): Undone | undefined {
  const { path: at, device } = placeOf(plan)
  const top = mounts().findLast(({ point }) => point === at)
  if (plan.bootId !== bootId() || top === undefined || top.device === device) return undefined
  const failed = [`${top.source} is mounted over ${at}, and its volume is not where it was made`]
  return { detail: 'nothing was undone', left: [], failed }
}

function volumeOf({ volume }: DrillPlan): SmallVolume {
  if (volume !== undefined) return volume
  throw new UsageError('quota-volume needs a size, and a service that can be stopped and started', {
    hint: 'name them: --size SIZE, and --service UNIT or --stop-cmd and --start-cmd',
  })
}

function bytesIn(at: string): number {
  const root = openPlace(at)
  try {
    let bytes = 0n
    for (const { stat } of walk(root)) bytes += BigInt(Math.max(BYTES_PER_INODE, Number(stat.blocks) * 512))
    return Number(bytes)
  } finally {
    closeSync(root)
  }
}

function freeIn(at: string): number {
  const { bavail, bsize } = statfsSync(at)
  return bavail * bsize
}

/** With all the room that it will ever need: what is written to the volume may not run out of it below. */
async function makeImage(image: string, size: number): Promise<void> {
  closeSync(openSync(image, 'wx', 0o600))
  await command('fallocate', '--length', String(size), image)
}

/**
 * Copies all that is in a directory, but sockets. By tar(1), which opens each name in the directory that it was found in, and
 * follows no link: whoever owns those directories may exchange them meanwhile, for a link to what only root may read.
 */
async function copy(from: string, to: string): Promise<void> {
  const attributes = ['--numeric-owner', '--acls', '--xattrs', '--xattrs-include=*']
  const archive = ['--create', '--format=posix', '--sparse', '--one-file-system', '--directory', from, '.']
  const files = ['--extract', '--preserve-permissions', '--same-owner', '--directory', to]
  try {
    await pipe(['tar', ...attributes, ...archive], ['tar', ...attributes, ...files])
  } catch (error) {
    // 1: something was changed while it was copied
    if (!(error instanceof CommandError) || error.status !== 1) throw error
  }
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch (error) {
    if (!isGone(error)) throw error // somebody else undid it, too
  }
}

/** What stays of a volume that is mounted nowhere any more, as its loop device shows. */
async function stillHeld(own: Mount, image: string, users: readonly ProcessState[]): Promise<string[]> {
  if (await until(() => !isOn(own.source, image), LETTING_GO)) return []
  const holders = users.filter(isRunning)
  const who = holders.length === 0 ? 'somebody' : named(holders)
  return [`the volume (${own.source}), whose room stays taken as long as ${who} is in it`]
}

/** Whether a loop device still has that file: losetup(8). */
function isOn(device: string, image: string): boolean {
  const held = textOf(`/sys/block/${path.basename(device)}/loop/backing_file`)
  return held?.startsWith(image) ?? false
}

/** With the mark, by which it is ended before an undo without its watchdog: it may stop nothing after that. */
async function stopService(plan: DrillPlan, abort?: AbortSignal): Promise<void> {
  await callInTime(volumeOf(plan).stop, { [DRILL_VARIABLE]: plan.id }, abort)
}

/** @throws RefusedError where the command stops nobody: what is open stays on the file system that has room */
async function stopSomebody(plan: DrillPlan, abort: AbortSignal): Promise<void> {
  const { path: at } = placeOf(plan)
  const users = usersOf(at)
  await stopService(plan, abort)
  const isStopped = () => {
    const still = usersOf(at)
    return users.length === 0 || users.some(({ pid }) => still.every((each) => each.pid !== pid))
  }
  if ((await until(isStopped, { ...SETTLING, abort })) || abort.aborted) return
  throw new RefusedError(
    `'${volumeOf(plan).stop.join(' ')}' stops nothing: ${named(users)} still has something open in ${at}`,
    { hint: 'give a command that ends the service, and let nobody else be in that directory' },
  )
}
