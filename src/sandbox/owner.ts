import { readFileSync } from 'node:fs'

/**
 * Names a process so that no later one has the same name: its number and when it was started, in clock ticks since
 * boot (proc_pid_stat(5), field 22). undefined where there is no such process.
 */
export function ownerName(pid: number | 'self'): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return `${stat.slice(0, stat.indexOf(' '))}.${afterName[19]}`
  } catch {
    return undefined // no such process, or no /proc
  }
}

/** Whether the process that a name was made for is still there. */
export function isAlive(owner: string): boolean {
  return ownerName(Number(owner.split('.')[0])) === owner
}
