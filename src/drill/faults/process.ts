/** Faults of running processes: stopped, killed. */
import { HostError, UsageError } from '../../errors.js'
import { RefusedError } from '../errors.js'
import { bootId, isRunning, lineage, type ProcessId, processState, stateOf } from '../host/processes.js'
import { until } from '../host/wait.js'
import type { DrillPlan, PlannedProcess } from '../plan.js'
import { type Fault, Told } from './fault.js'

/** proc_pid_stat(5): stopped by a signal. */
const STOPPED = 'T'
/** The process above all threads of the kernel. */
const KTHREADD = 2
/** A signal takes its time to arrive. Where it does not, that is seen by whoever looks. */
const ARRIVAL = { milliseconds: 5000, stepMs: 5 }

export const pause: Fault<PlannedProcess> = {
  title: 'Processes that are stopped',
  errnos: [],
  capabilities: ['kill'],
  foresee(plan) {
    checkProcesses(plan)
    checkRights(plan)
    return {
      does: [`stops ${named(plan.processes)} (SIGSTOP)`],
      undoes: ['lets them go on (SIGCONT), those alone that were not stopped before'],
    }
  },
  *save(plan) {
    checkProcesses(plan)
    for (const each of plan.processes) if (stateOf(each) !== STOPPED) yield each
  },
  async inject(_plan, saved) {
    for (const each of saved) signal(each, 'SIGSTOP')
    await until(() => saved.every((each) => stateOf(each) === STOPPED || !isRunning(each)), ARRIVAL)
    const stopped = saved.filter((each) => stateOf(each) === STOPPED)
    const not = saved.filter((each) => isRunning(each) && !stopped.includes(each))
    const yet = not.length === 0 ? '' : `; not yet: ${named(not)}, which waits for a disk or is traced`
    return {
      detail:
        saved.length === 0
          ? 'all of it was stopped already'
          : `stopped: ${named(stopped) || 'nothing'}${yet}`,
    }
  },
  async undo(plan, saved) {
    if (plan.bootId !== bootId()) return { detail: 'processes do not outlive a boot', left: [], failed: [] }
    const left = new Told()
    const running = saved.filter(isRunning)
    const goesOn = running.length > 0 && running.every((each) => stateOf(each) !== STOPPED)
    for (const each of saved) {
      // whatever its state: the stop may have yet to arrive, and this takes it back (signal(7))
      if (!signal(each, 'SIGCONT')) left.add(`${named([each])} has ended`)
    }
    await until(() => saved.every((each) => stateOf(each) !== STOPPED), ARRIVAL)
    const failed = saved
      .filter((each) => stateOf(each) === STOPPED)
      .map((each) => `${named([each])} is still stopped`)
    return {
      detail: `goes on: ${named(saved.filter(isRunning)) || 'nothing'}`,
      left: left.lines,
      failed,
      ...(goesOn ? { gone: `${named(running)} went on already` } : {}),
    }
  },
  observe(plan) {
    const stopped = plan.processes.find((each) => stateOf(each) === STOPPED)
    return stopped && { sign: 'SIGSTOP', detail: `${named([stopped])} is stopped` }
  },
}

export const kill: Fault<PlannedProcess> = {
  title: 'A process that is killed',
  errnos: [],
  capabilities: ['kill'],
  lasts: true,
  foresee(plan) {
    checkProcesses(plan)
    checkRights(plan)
    return {
      does: [`kills ${named(plan.processes.slice(0, 1))} (SIGKILL)`],
      undoes: ['nothing: whatever started it has to start it again'],
    }
  },
  *save(plan) {
    checkProcesses(plan)
    yield* plan.processes.slice(0, 1)
  },
  async inject(_plan, saved) {
    for (const each of saved) signal(each, 'SIGKILL')
    await until(() => !saved.some(isRunning), ARRIVAL)
    return { detail: `killed: ${named(saved)}` }
  },
  async undo() {
    return { detail: 'a kill cannot be undone', left: [], failed: [] }
  },
  observe(plan) {
    const killed = plan.processes.slice(0, 1).find((each) => !isRunning(each))
    return killed && { sign: 'SIGKILL', detail: `${named([killed])} is not there any more` }
  },
}

/** @throws RefusedError where that would stop the host, or the drill itself */
export function checkProcesses({ fault, processes }: DrillPlan): void {
  if (processes.length === 0) {
    throw new UsageError(`${fault} needs a process`, { hint: 'name it: --pid N, or --service UNIT' })
  }
  const above = lineage()
  for (const { pid, name } of processes) {
    const isKernel = pid === KTHREADD || processState(pid)?.parent === KTHREADD
    if (pid === 1 || isKernel) throw new RefusedError(`${name} (${pid}) is a part of the system`)
    if (above.has(pid)) throw new RefusedError(`${name} (${pid}) is what this drill runs in`)
  }
}

/** The tool asks this, with all its rights: a watchdog has only those that it needs. @throws HostError */
export function checkRights({ processes }: DrillPlan): void {
  const other = processes.find(({ pid }) => !maySignal(pid))
  if (other !== undefined) {
    throw new HostError(`${named([other])} is another user's`, { hint: 'call it as root, by sudo' })
  }
}

/** kill(2) with signal 0 only looks. */
function maySignal(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EPERM'
  }
}

/** The kernel has no way to signal a process and be sure of it but by a pidfd, which Node has not: we look right before. */
function signal(process_: ProcessId, what: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): boolean {
  if (!isRunning(process_)) return false
  try {
    return process.kill(process_.pid, what)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    return false // it has just ended
  }
}

export function named(processes: readonly PlannedProcess[]): string {
  return processes.map(({ name, pid }) => `${name} (${pid})`).join(', ')
}
