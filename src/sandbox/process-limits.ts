/** What a running process may still do, as the kernel says it: proc_pid_limits(5), proc_pid_fd(5). */
import { readdirSync, readFileSync } from 'node:fs'

/** As prlimit(1) and /proc/PID/limits name it. */
export interface LimitKind {
  readonly option: string
  readonly name: string
}

export const FILE_SIZE: LimitKind = { option: 'fsize', name: 'Max file size' }
export const OPEN_FILES: LimitKind = { option: 'nofile', name: 'Max open files' }

/** @returns a number, or 'unlimited'; undefined where the process has ended */
export function softLimit(pid: number, { name }: LimitKind): string | undefined {
  const limits = unlessEnded(() => readFileSync(`/proc/${pid}/limits`, 'latin1'))
  return new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(limits ?? '')?.[1]
}

/**
 * @param leave descriptors that may still be opened
 * @returns the limit of open files that leaves them: a new one gets the lowest number that is free, which has to be
 * below it (getrlimit(2)); undefined where the process has ended
 */
export function openFilesLimit(pid: number, leave: number): number | undefined {
  const names = unlessEnded(() => readdirSync(`/proc/${pid}/fd`))
  if (names === undefined) return undefined
  const taken = new Set(names.map(Number))
  for (let number = 0, free = 0; ; number += 1) {
    if (taken.has(number)) continue
    if (free === leave) return number
    free += 1
  }
}

function unlessEnded<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return undefined
  }
}
