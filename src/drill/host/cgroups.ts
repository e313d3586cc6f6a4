/** Control groups, as far as they throttle what processes read from and write to a disk: cgroups(7). */
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { textOf } from './kernel.js'
import { type Mount, mounts } from './mounts.js'
import { threadsOf } from './processes.js'

export interface Cgroup {
  readonly version: 1 | 2
  /** Where it is mounted, an absolute path. */
  readonly directory: string
}

/**
 * The group of a process that has to do with disks: of the controller blkio, or of the one hierarchy of version 2.
 * @param text /proc/PID/cgroup
 * @returns undefined where neither is mounted here
 */
export function diskGroupOf(text: string, all: readonly Mount[] = mounts()): Cgroup | undefined {
  const lines = text.split('\n').map((line) => line.split(':'))
  const first = lines.find(([, controllers]) => controllers?.split(',').includes('blkio'))
  const named = (point: string) => path.basename(point).split(',').includes('blkio')
  const old = all.find(({ type, point }) => type === 'cgroup' && named(point))
  if (first !== undefined && old !== undefined) {
    return { version: 1, directory: below(old, first.slice(2).join(':')) }
  }
  const unified = lines.find(([number]) => number === '0')
  const now = all.find(({ type }) => type === 'cgroup2')
  if (unified === undefined || now === undefined) return undefined
  return { version: 2, directory: below(now, unified.slice(2).join(':')) }
}

/** A container sees its own part of the hierarchy at the mount point. */
function below({ root, point }: Mount, group: string): string {
  return path.join(point, `${group}/`.startsWith(`${root}/`) ? group.slice(root.length) : group)
}

/** @returns undefined where the process has ended */
export function groupText(pid: number | string): string | undefined {
  return textOf(`/proc/${pid}/cgroup`)
}

/** The lines of /proc/PID/task/TID/cgroup about disks, of all threads: with version 1 each may be elsewhere. */
export function threadGroups(pid: number): ReadonlySet<string> {
  const texts = threadsOf(pid).map((thread) => groupText(`${pid}/task/${thread}`) ?? '')
  return new Set(
    texts.flatMap((text) => text.split('\n').filter((line) => /^\d+:([^:]*,)?blkio[,:]/.test(line))),
  )
}

/**
 * The disk that a file system lies on, as the throttle wants it: not a part of one.
 * @param device 'major:minor'
 * @returns undefined where that is no block device (btrfs, overlay, tmpfs)
 */
export function diskOf(device: string): string | undefined {
  const entry = `/sys/dev/block/${device}`
  if (!existsSync(entry)) return undefined
  if (!existsSync(`${entry}/partition`)) return device
  return readFileSync(path.join(realpathSync(entry), '../dev'), 'latin1').trim()
}

/** What io.max says of a disk, in version 2: 'rbps=max wbps=65536 riops=max wiops=max'. */
export function limitIn(text: string, disk: string): string {
  const line = text.split('\n').find((each) => each.startsWith(`${disk} `))
  return line === undefined ? NO_LIMIT : line.slice(disk.length + 1)
}

export const NO_LIMIT = 'rbps=max wbps=max riops=max wiops=max'

/** Puts a process with all its threads into a group. @returns false where the process or the group is gone */
export function move(pid: number, directory: string): boolean {
  try {
    writeFileSync(path.join(directory, 'cgroup.procs'), String(pid))
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ESRCH' || code === 'ENOENT' || code === 'ENODEV') return false
    throw error
  }
}

export function membersOf(directory: string): number[] {
  const text = readFileSync(path.join(directory, 'cgroup.procs'), 'latin1')
  return text.split('\n').filter(Boolean).map(Number)
}

/** Names of the groups right below one. */
export function groupsIn(directory: string): string[] {
  const all = readdirSync(directory, { withFileTypes: true })
  return all.flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
}

/** Whether it is a group that is there. */
export function isGroup(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).includes('cgroup.procs')
}
