/**
 * The control group of a service whose disk can be made slow. With version 1 any group will do; with version 2 only one below
 * a group that hands on the controller `io`, which a shell is hardly ever in (cgroups(7)). For root.
 */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { diskGroupOf } from '../drill/host/cgroups.js'
import { mounts } from '../drill/host/mounts.js'

export interface DiskGroup {
  readonly version: 1 | 2
  /** What its io.max says; empty with version 1, where a drill makes a group of its own. */
  limits(): string
  /** Waits until nobody is in it any more. */
  remove(): Promise<void>
}

/** A group in which everybody writes slowly. @param disk 'major:minor' */
export function makeSlowGroup(disk: string, bytesPerSecond: number) {
  const found = diskGroupOf(readFileSync('/proc/self/cgroup', 'latin1'))!
  const name = `lightning-test-slow-${process.pid}`
  const directory = found.version === 2 ? makeUnified(name) : path.join(found.directory, name)
  if (found.version === 1) mkdirSync(directory)
  const [file, limit] = found.version === 2 ? ['io.max', 'wbps='] : ['blkio.throttle.write_bps_device', '']
  writeFileSync(path.join(directory, file!), `${disk} ${limit}${bytesPerSecond}`)
  return { directory, remove: () => removeEmpty(directory) }
}

/** Of version 2, below the one above all, which hands on the controller. */
function makeUnified(name: string): string {
  const root = mounts().find(({ type }) => type === 'cgroup2')!.point
  writeFileSync(path.join(root, 'cgroup.subtree_control'), '+io')
  const directory = path.join(root, name)
  mkdirSync(directory)
  return directory
}

export function putIntoDiskGroup(pid: number): DiskGroup {
  const found = diskGroupOf(readFileSync(`/proc/${pid}/cgroup`, 'latin1'))
  if (found?.version !== 2) return { version: 1, limits: () => '', remove: async () => {} }
  const directory = makeUnified(`lightning-test-${pid}`)
  writeFileSync(path.join(directory, 'cgroup.procs'), String(pid))
  return {
    version: 2,
    limits: () => readFileSync(path.join(directory, 'io.max'), 'latin1'),
    remove: () => removeEmpty(directory),
  }
}

/** Whoever has just ended still counts for a while. */
async function removeEmpty(group: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      return rmdirSync(group)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || tries === 500) throw error
      await sleep(20)
    }
  }
}
