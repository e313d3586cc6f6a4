/** Ends processes that were left behind. */
import { readdirSync, readFileSync } from 'node:fs'

/** Every process of a sandbox has this in its environment: the name of the run that it belongs to. */
export const OWNER_VARIABLE = 'LIGHTNING_CHAOS_OWNER'
const PAUSE_MS = 2

/** Kills every process that is one, and those that they start meanwhile; resolves when none is running any more. */
export async function killAll(isStray: (pid: number) => boolean): Promise<void> {
  for (;;) {
    const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
    const strays = pids.filter((pid) => pid !== process.pid && isRunning(pid) && isStray(pid))
    if (strays.length === 0) return
    for (const pid of strays) kill(pid)
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}

/** Kills every process of the runs that are over, as far as we may look at it. */
export function killProcessesOf(isOver: (owner: string) => boolean): Promise<void> {
  return killAll((pid) => {
    const owner = ownerOfProcess(pid)
    return owner !== undefined && isOver(owner)
  })
}

/** proc_pid_environ(5): another user's environment may not be read, except with CAP_SYS_PTRACE. */
function ownerOfProcess(pid: number): string | undefined {
  const mark = `${OWNER_VARIABLE}=`
  const variables = read(pid, 'environ').split('\0')
  return variables.find((variable) => variable.startsWith(mark))?.slice(mark.length)
}

/** False for a zombie: orphans are left to the first process of their namespace, which may never reap them. */
function isRunning(pid: number): boolean {
  return /^\d+ \(.*\) [^ZX]/s.test(read(pid, 'stat'))
}

function read(pid: number, file: 'environ' | 'stat'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return '' // it has ended, or is somebody else's
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
