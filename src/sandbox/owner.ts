import { readFileSync, readlinkSync } from 'node:fs'

/**
 * Names our process so that no other has the same name: its number, when it was started, in clock ticks since boot
 * (proc_pid_stat(5), field 22), and the pid namespace in which that number counts.
 * @returns undefined where there is no /proc
 */
export function ownerName(): string | undefined {
  const started = startOf('self')
  return started === undefined ? undefined : `${process.pid}.${started}.${namespace()}`
}

/** Whether the process that a name was made for may still be there. In another pid namespace, nobody can tell. */
export function isAlive(owner: string): boolean {
  const [pid = '', started, where] = owner.split('.')
  return where !== namespace() || startOf(pid) === started
}

function startOf(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined // no such process, or no /proc
  }
}

function namespace(): string | undefined {
  return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0]
}
