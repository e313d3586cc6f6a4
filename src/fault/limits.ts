/** Faults that are about the target alone: limits of its process, and a quota of its directory. */
import { existsSync } from 'node:fs'
import { InternalError } from '../errors.js'
import { type ProbeResult, probeOpenTwo, probeWrite } from '../evidence/probe.js'
import { command } from '../sandbox/command.js'
import {
  FILE_SIZE,
  type LimitKind,
  OPEN_FILES,
  openFilesLimit,
  softLimit,
} from '../sandbox/process-limits.js'
import type { ActiveFault, FaultKind, FaultWorld } from './fault.js'
import { walk } from './tree.js'

export const fileSize: FaultKind = {
  kind: 'file-size',
  title: 'RLIMIT_FSIZE of the running process: no file may grow any further',
  family: 'full',
  errnos: ['EFBIG'],
  refusals: ['disk-full'],
  needs: ['prlimit'],
  parameters: {
    room: { type: 'size', default: 0, about: 'Bytes that files may still grow beyond the largest there is' },
    limit: {
      type: 'size',
      default: 0,
      about: '… or how large a file may be, though some are larger; 0: see room',
    },
  },
  async inject(world, parameters) {
    const pid = runningTarget(world, 'file-size')
    const limit = Number(parameters.limit) || (await largestFile(world.volume.data)) + Number(parameters.room)
    const before = ['prlimit', `--fsize=${Math.min(limit, 4096)}:`, 'env', '--ignore-signal=XFSZ']
    const limited = await limitProcess(world, pid, FILE_SIZE, String(limit), 'unlimited', () =>
      probeWrite(world.asTarget, world.volume.probes, before),
    )
    return { ...limited, detail: `no file may grow beyond ${limit} bytes` }
  },
}

export const descriptors: FaultKind = {
  kind: 'descriptors',
  title: 'RLIMIT_NOFILE of the running process: no file can be opened any more',
  // whatever needs a file fails, and what was begun with one may not be finished
  family: 'io',
  errnos: ['EMFILE'],
  refusals: ['too-many-files', 'read-only'],
  needs: ['prlimit'],
  parameters: {
    leave: { type: 'count', default: 0, about: 'How many files it may still open at a time' },
  },
  async inject(world, parameters) {
    const pid = runningTarget(world, 'descriptors')
    const limit = String(openFilesLimit(pid, Number(parameters.leave)))
    const before = softLimit(pid, OPEN_FILES) ?? 'unlimited'
    const limited = await limitProcess(world, pid, OPEN_FILES, limit, before, () =>
      probeOpenTwo(world.asTarget),
    )
    return { ...limited, detail: `${parameters.leave} more files may be open at a time`, stopsReads: true }
  },
}

function runningTarget({ targetPid }: FaultWorld, fault: string): number {
  if (targetPid !== undefined) return targetPid
  throw new InternalError(`${fault} limits a running process, and no target is running`)
}

/** @param tryIt what another process of the target runs into under such a limit: evidence as long as the target has it */
async function limitProcess(
  world: FaultWorld,
  pid: number,
  kind: LimitKind,
  limit: string,
  before: string,
  tryIt: () => Promise<ProbeResult | undefined>,
): Promise<Pick<ActiveFault, 'probe' | 'heal'>> {
  await setLimit(world, pid, kind, limit)
  return {
    async probe() {
      if (softLimit(pid, kind) !== limit) return undefined
      const result = await tryIt()
      return (
        result && { ...result, detail: `${result.detail}, with the limit that /proc/${pid}/limits shows` }
      )
    },
    async heal() {
      if (!existsSync(`/proc/${pid}`)) return 'the limit went with the process that had it'
      await setLimit(world, pid, kind, before)
      return before === 'unlimited' ? 'the limit lifted' : 'the limit is what it was'
    },
  }
}

/** prlimit(2) on another process wants the same user, so it runs as the target. Only the soft limit moves. */
async function setLimit(world: FaultWorld, pid: number, { option }: LimitKind, limit: string) {
  const [file, ...args] = world.asTarget(['prlimit', '--pid', String(pid), `--${option}=${limit}:`])
  await command(file!, ...args)
}

async function largestFile(directory: string): Promise<number> {
  return Math.max(...(await walk(directory)).map(({ size }) => size))
}

export const qgroup: FaultKind = {
  kind: 'qgroup',
  title: "A quota on the target's directory: a btrfs qgroup",
  family: 'full',
  errnos: ['EDQUOT'],
  refusals: ['disk-full', 'quota'],
  needs: ['mkfs.btrfs'],
  volumes: ['btrfs'],
  parameters: {
    leave: { type: 'size', default: 0, about: 'Bytes that the target may still write' },
  },
  async inject(world, parameters) {
    const { root, data } = world.volume
    await command('btrfs', 'quota', 'enable', root)
    await command('btrfs', 'quota', 'rescan', '-w', root)
    await command('sync', '--file-system', data)
    const { id, bytes } = await qgroupOf(data)
    const limit = bytes + Number(parameters.leave)
    // by its number and the path of the root: a call on the subvolume itself would count against its own quota
    const setLimit = (to: string) => command('btrfs', 'qgroup', 'limit', to, id, root)
    await setLimit(String(limit))
    return {
      detail: `quota of ${limit} bytes, of which ${Number(parameters.leave)} are free`,
      probe: () => probeWrite(world.asTarget, data),
      async heal() {
        await setLimit('none')
        return 'the quota lifted'
      },
    }
  },
}

/** The qgroup of a subvolume, and the bytes that count against it: the first columns of `btrfs qgroup show`. */
async function qgroupOf(data: string): Promise<{ readonly id: string; readonly bytes: number }> {
  const rows = await command('btrfs', 'qgroup', 'show', '--raw', '-f', data)
  const [, id, referenced] = /^(\d+\/\d+)\s+(\d+)/m.exec(rows) ?? []
  if (id === undefined) throw new InternalError(`no usage in the output of btrfs qgroup show: ${rows}`)
  return { id, bytes: Number(referenced) }
}
