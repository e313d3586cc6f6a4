/** A process that can open nothing more: its soft RLIMIT_NOFILE is lowered to what it has open (prlimit(2)). */
import { readdirSync, readFileSync } from 'node:fs'
import { CommandError, command } from '../../sandbox/command.js'
import { credentialsOf, descendants, isRunning, type ProcessId } from '../host/processes.js'
import type { PlannedProcess } from '../plan.js'
import { type Fault, Told } from './fault.js'
import { checkProcesses, checkRights, named } from './process.js'

/** How often it is looked for what was started meanwhile. */
const MOST_SCANS = 10

type Heir = ProcessId & { readonly from: string }

type Limited = PlannedProcess & {
  /** The soft limit as it was, and as it is set. */
  readonly from: string
  readonly to: string
}

export const fdLimit: Fault<Limited> = {
  title: 'A process that can open nothing more',
  errnos: ['EMFILE'],
  capabilities: ['sys_resource', 'sys_ptrace', 'dac_read_search', 'setuid', 'setgid'],
  foresee(plan) {
    checkProcesses(plan)
    checkRights(plan)
    const all = [...this.save(plan)]
    return {
      does: all.map(
        (each) => `lowers the limit of open files of ${named([each])} from ${each.from} to ${each.to}`,
      ),
      undoes: ['raises it again, where it is still what was set; of what they started meanwhile, too'],
    }
  },
  *save(plan) {
    checkProcesses(plan)
    for (const each of plan.processes) {
      if (!isRunning(each)) continue
      yield { ...each, from: softLimit(each.pid), to: String(lowestUnused(each.pid)) }
    }
  },
  async inject(_plan, saved) {
    for (const each of saved) await setSoftLimit(each, each.to)
    return {
      detail: saved.map((each) => `${named([each])} may have ${each.to} files open, and has`).join(', '),
    }
  },
  async undo(_plan, saved) {
    const left = new Told()
    let raised = 0
    for (const each of saved) {
      const now = isRunning(each) ? softLimit(each.pid) : undefined
      if (now === undefined) left.add(`${named([each])} has ended`)
      else if (now === each.to && now !== each.from) {
        await setSoftLimit(each, each.from)
        raised += 1
      } else if (now !== each.from)
        left.add(`${named([each])}: somebody set its limit to ${now}, it was ${each.from}`)
    }
    const failed = new Told()
    const tried = new Set<number>()
    // what is started while we look has the low limit, too
    for (let scan = 0; scan < MOST_SCANS; scan += 1) {
      const found = heirs(saved.filter(isRunning)).filter(({ pid }) => !tried.has(pid))
      if (found.length === 0) break
      for (const heir of found) {
        tried.add(heir.pid)
        const why = await raiseHeir(heir)
        if (why === undefined) raised += 1
        else failed.add(why)
      }
    }
    return {
      detail: `the limits of ${raised} processes raised again`,
      left: left.lines,
      failed: failed.lines,
    }
  },
  /** A new descriptor gets the lowest number that is not in use, which has to be below the limit: getrlimit(2). */
  observe(plan) {
    const full = plan.processes.find(
      (each) => isRunning(each) && lowestUnused(each.pid) >= Number(softLimit(each.pid)),
    )
    return (
      full && {
        sign: 'EMFILE',
        detail: `${named([full])} uses every number below its limit, ${softLimit(full.pid)}`,
      }
    )
  },
}

/** What was started by a process while its limit was low, or by such a child, and has that limit still: fork(2). */
function heirs(saved: readonly Limited[]): Heir[] {
  const known = new Set(saved.map(({ pid }) => pid))
  return descendants(known).flatMap(({ ancestor, ...child }) => {
    const { from, to } = saved.find(({ pid }) => pid === ancestor)!
    return from !== to && softLimit(child.pid) === to ? [{ ...child, from }] : []
  })
}

/** @returns why it has the low limit still, in words; undefined where it has not, or has ended */
async function raiseHeir({ from, ...child }: Heir): Promise<string | undefined> {
  if (!isRunning(child)) return undefined
  try {
    // it may have made that its hard limit as well, which only root can raise again
    await setSoftLimit(child, from).catch(() => setSoftLimit(child, from, from))
    return undefined
  } catch (error) {
    return isRunning(child)
      ? `the limit of ${child.pid} cannot be raised: ${(error as Error).message}`
      : undefined
  }
}

function lowestUnused(pid: number): number {
  const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
  for (let number = 0; ; number += 1) if (!used.has(number)) return number
}

/** proc_pid_limits(5). */
function softLimit(pid: number): string {
  return /^Max open files\s+(\S+)/m.exec(limitsOf(pid))?.[1] ?? 'unknown'
}

function limitsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/limits`, 'latin1')
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return '' // it has just ended
  }
}

/** For another user's process that takes CAP_SYS_RESOURCE, or being that user: some roots do not have the former. */
async function setSoftLimit({ pid }: ProcessId, limit: string, hard = ''): Promise<void> {
  const set = ['prlimit', '--pid', String(pid), `--nofile=${limit}:${hard}`] as const
  try {
    await command(...set)
  } catch (error) {
    const own = credentialsOf(pid)
    if (!(error instanceof CommandError) || !/not permitted/.test(error.stderr) || own === undefined)
      throw error
    await command('setpriv', `--reuid=${own.uid}`, `--regid=${own.gid}`, '--clear-groups', ...set)
  }
}
