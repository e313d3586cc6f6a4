/** A disk that is slow for a service: the kernel lets its processes move only so many bytes a second (cgroups(7)). */
import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HostError, UsageError } from '../../errors.js'
import { RefusedError } from '../errors.js'
import {
  type Cgroup,
  diskGroupOf,
  diskOf,
  groupsIn,
  groupText,
  isGroup,
  limitIn,
  membersOf,
  move,
  threadGroups,
} from '../host/cgroups.js'
import { placeOf } from '../host/place.js'
import { bootId, isRunning } from '../host/processes.js'
import type { DrillPlan, PlannedProcess, Rate } from '../plan.js'
import { BLOCKED } from '../testimony.js'
import { type Fault, Told } from './fault.js'
import { checkProcesses, named } from './process.js'

/** Longest that the kernel takes to see that a group is empty, in milliseconds. */
const EMPTY_MS = 5000

/** A group of ours (version 1), or the one of the service with another limit (version 2). */
interface Throttle extends Cgroup {
  readonly kind: 'throttle'
  readonly disk: string
  /** Files of the group, and what is written to them: to throttle, and to end that. */
  readonly on: Readonly<Record<string, string>>
  readonly off: Readonly<Record<string, string>>
}

interface Member extends PlannedProcess {
  readonly kind: 'process'
  readonly from: string
  readonly to: string
}

type Saved = Throttle | Member

export const slow: Fault<Saved> = {
  title: 'A disk that is slow for one service',
  errnos: [BLOCKED],
  // the directories of control groups let nobody write, not even their owner
  capabilities: ['dac_override'],
  takesWitness: true,
  foresee(plan) {
    const [{ version, directory, disk }] = [...this.save(plan)] as [Throttle]
    checkMayWrite(version === 1 ? path.dirname(directory) : path.join(directory, 'io.max'))
    const { bytesPerSecond, operationsPerSecond } = rateOf(plan)
    const operations = operationsPerSecond === undefined ? '' : ` in ${operationsPerSecond} operations`
    return {
      does: [
        `lets ${named(plan.processes)} read, and write, at most ${bytesPerSecond} bytes a second${operations} of the disk ${disk}`,
        version === 1
          ? `moves them into a control group of their own, ${directory}`
          : `by the limits (io.max) of their control group ${directory}`,
      ],
      undoes: [
        version === 1
          ? 'moves them back, with whatever they have started meanwhile, and removes the group'
          : 'gives the group the limits that it had, where they are still what was set',
      ],
    }
  },
  *save(plan) {
    checkProcesses(plan)
    const disk = diskUnder(plan)
    const throttle = throttleOf(groupOf(plan.processes[0]!), disk, plan)
    yield throttle
    for (const each of plan.processes) {
      const { version, directory: from } = groupOf(each)
      if (version === 1) checkUnlimited(from, each)
      if (from !== throttle.directory) yield { kind: 'process', ...each, from, to: throttle.directory }
    }
  },
  async inject(_plan, saved) {
    const [throttle] = saved as [Throttle]
    if (throttle.version === 1) mkdirSync(throttle.directory)
    write(throttle, throttle.on)
    const moved = membersIn(saved).filter((each) => isRunning(each) && move(each.pid, each.to))
    const what = Object.values(throttle.on).join(', ')
    return { detail: `${throttle.directory} is throttled (${what}), ${moved.length} processes moved into it` }
  },
  async undo(plan, saved) {
    const left = new Told()
    const throttle = saved.find((each) => each.kind === 'throttle')
    const gone = 'the control group is gone'
    const undone = { detail: gone, left: [], failed: [] }
    if (plan.bootId !== bootId()) return undone
    if (throttle === undefined) {
      const failed = ['the journal does not say any more which control group is throttled']
      return { detail: 'nothing was undone', left: [], failed }
    }
    if (!isGroup(throttle.directory)) return { ...undone, gone }
    const isFree = !isThrottled(throttle, membersIn(saved)[0])
    if (throttle.version === 1 || isLimitedBy(throttle, throttle.on)) write(throttle, throttle.off)
    else if (!isLimitedBy(throttle, throttle.off))
      left.add(`${throttle.directory}: somebody changed its limits meanwhile`)
    for (const each of membersIn(saved)) {
      const isThere = isRunning(each) && groupIfAny(each)?.directory === each.to
      if (isThere && !move(each.pid, each.from)) left.add(`${named([each])}: its group ${each.from} is gone`)
    }
    const stays = throttle.version === 1 ? await removeGroup(throttle.directory) : undefined
    return {
      detail: `${throttle.directory} is throttled no more`,
      left: left.lines,
      failed: stays === undefined ? [] : [stays],
      ...(isFree ? { gone: 'somebody had changed the limits, or moved the service' } : {}),
    }
  },
}

/** Whether the limits still hold for the service: with version 1, for its first process, as long as that runs. */
function isThrottled(throttle: Throttle, first: Member | undefined): boolean {
  if (throttle.version === 2) return isLimitedBy(throttle, throttle.on)
  return first === undefined || !isRunning(first) || groupIfAny(first)?.directory === first.to
}

/**
 * With version 1 a group does not inherit what holds for the one above it.
 * @throws RefusedError where a group of its own would free a process of limits, or its threads have several
 */
function checkUnlimited(directory: string, each: PlannedProcess): void {
  const files = readdirSync(directory).filter((name) => /^blkio\.throttle\.\w+_device$/.test(name))
  const limit = files.find((name) => readFileSync(path.join(directory, name), 'latin1').trim() !== '')
  const hint = 'take that away for the drill, or choose drill stall'
  if (limit !== undefined) {
    throw new RefusedError(
      `${named([each])} is limited already, which a group of its own would lift: ${directory}/${limit}`,
      { hint },
    )
  }
  if (threadGroups(each.pid).size > 1) {
    throw new RefusedError(
      `the threads of ${named([each])} are in several control groups of the controller blkio`,
      { hint },
    )
  }
}

/** @throws HostError */
function checkMayWrite(file: string): void {
  try {
    accessSync(file, constants.W_OK)
  } catch (cause) {
    throw new HostError(`${file} may not be written: ${(cause as Error).message}`, {
      hint: 'call it as root, by sudo',
      cause,
    })
  }
}

function rateOf({ rate }: DrillPlan): Rate {
  if (rate !== undefined && rate.bytesPerSecond > 0 && rate.operationsPerSecond !== 0) return rate
  throw new UsageError('slow needs a rate of more than nothing', {
    hint: 'name it: --bytes-per-second SIZE; where nothing at all shall go through, choose drill stall',
  })
}

function diskUnder(plan: DrillPlan): string {
  const { path: directory, device, type } = placeOf(plan)
  const disk = diskOf(device)
  if (disk !== undefined) return disk
  throw new HostError(`${directory} is on ${type}, which is on no block device of its own`, {
    hint: 'the kernel throttles block devices: choose drill stall',
  })
}

/** @returns undefined where it has ended, or no group has to do with disks */
function groupIfAny({ pid }: PlannedProcess): Cgroup | undefined {
  return diskGroupOf(groupText(pid) ?? '')
}

/** @throws HostError */
function groupOf(process_: PlannedProcess): Cgroup {
  const group = groupIfAny(process_)
  if (group !== undefined) return group
  throw new HostError('no control group of this host has to do with disks', {
    hint: 'mount cgroup2, or the controller blkio of cgroup v1',
  })
}

function throttleOf({ version, directory }: Cgroup, disk: string, plan: DrillPlan): Throttle {
  const { bytesPerSecond: bytes, operationsPerSecond: operations } = rateOf(plan)
  if (version === 1) {
    const limits = [
      ['bps', bytes],
      ...(operations === undefined ? [] : [['iops', operations] as const]),
    ] as const
    const files = (value: (limit: number) => string) =>
      Object.fromEntries(
        limits.flatMap(([unit, limit]) =>
          ['read', 'write'].map((way) => [`blkio.throttle.${way}_${unit}_device`, value(limit)]),
        ),
      )
    return {
      ...{ kind: 'throttle', version, disk },
      directory: path.join(directory, `lightning-chaos-${plan.id}`),
      on: files((limit) => `${disk} ${limit}`),
      off: files(() => `${disk} 0`),
    }
  }
  const before = limitIn(readLimits(directory), disk)
  const most = operations ?? 'max'
  const set = `rbps=${bytes} wbps=${bytes} riops=${most} wiops=${most}`
  return {
    ...{ kind: 'throttle', version, directory, disk },
    on: { 'io.max': `${disk} ${set}` },
    off: { 'io.max': `${disk} ${before}` },
  }
}

/** @throws HostError where the group has no say over disks */
function readLimits(directory: string): string {
  try {
    return readFileSync(path.join(directory, 'io.max'), 'latin1')
  } catch (cause) {
    throw new HostError(`${directory} has no limits of disks`, {
      hint: 'give its unit the controller: systemctl set-property --runtime UNIT IOAccounting=yes',
      cause,
    })
  }
}

/** With version 2. */
function isLimitedBy({ directory, disk }: Throttle, limits: Throttle['on']): boolean {
  return limits['io.max'] === `${disk} ${limitIn(readLimits(directory), disk)}`
}

function write({ directory }: Throttle, files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(directory, file), text)
}

function membersIn(saved: readonly Saved[]): Member[] {
  return saved.filter((each) => each.kind === 'process')
}

/**
 * What is still in it was started by those that were moved, and goes to the group above.
 * @returns why it stays, in words; undefined where it does not
 */
async function removeGroup(directory: string): Promise<string | undefined> {
  for (const deadline = performance.now() + EMPTY_MS; ; await sleep(20)) {
    for (const pid of membersOf(directory)) move(pid, path.dirname(directory))
    try {
      rmdirSync(directory)
      return undefined
    } catch (error) {
      // whoever is just ending is still counted
      const isBusy = (error as NodeJS.ErrnoException).code === 'EBUSY'
      if (isBusy && performance.now() <= deadline) continue
      const own = groupsIn(directory)
      if (!isBusy || own.length === 0) throw error
      return `somebody made control groups in ${directory} meanwhile: ${own.join(', ')}; move what is in them elsewhere, and remove them (rmdir)`
    }
  }
}
