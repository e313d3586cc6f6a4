/** A process that can open nothing more: its soft RLIMIT_NOFILE is lowered to what it has open (prlimit(2)). */
import { CommandError, command, isForkFailure } from '../../sandbox/command.js'
import { OPEN_FILES, openFilesLimit, softLimit } from '../../sandbox/process-limits.js'
import { RefusedError } from '../errors.js'
import { bootId, credentialsOf, descendants, isRunning, type ProcessId } from '../host/processes.js'
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
  /** What it had started before that, with that very limit. */
  readonly alike: readonly ProcessId[]
}

export const fdLimit: Fault<Limited> = {
  title: 'A process that can open nothing more',
  errnos: ['EMFILE'],
  capabilities: ['sys_resource', 'sys_ptrace', 'dac_read_search', 'setuid', 'setgid'],
  foresee(plan) {
    checkProcesses(plan)
    checkRights(plan)
    const all = [...this.save(plan)]
    const full = all.find(({ from, to }) => from === to)
    if (full !== undefined) throw new RefusedError(`${named([full])} can open nothing more already`)
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
      const from = limitOf(each)
      const used = openFilesLimit(each.pid, 0)
      if (from === undefined || used === undefined) continue // it has ended
      const to = String(Math.min(used, Number(from)))
      const children = descendants(new Set([each.pid])).filter((child) => limitOf(child) === to)
      yield { ...each, from, to, alike: children.map(({ pid, start }) => ({ pid, start })) }
    }
  },
  async inject(_plan, saved) {
    const limited: Limited[] = []
    for (const each of saved) {
      if (!isRunning(each)) continue
      await setSoftLimit(each, each.to)
      limited.push(each)
    }
    return {
      detail: limited.map((each) => `${named([each])} may have ${each.to} files open, and has`).join(', '),
    }
  },
  async undo(plan, saved) {
    if (plan.bootId !== bootId()) return { detail: 'processes do not outlive a boot', left: [], failed: [] }
    const left = new Told()
    const failed = new Told()
    const running = saved.filter(isRunning)
    const isRaised = running.length > 0 && running.every((each) => limitOf(each) !== each.to)
    let raised = 0
    const raise = async (each: ProcessId, from: string) => {
      const why = await whyNotRaised(each, from)
      if (why === undefined) raised += 1
      else failed.add(why)
    }
    for (const each of saved) {
      const now = limitOf(each)
      if (now === undefined) left.add(`${named([each])} has ended`)
      else if (now === each.to && now !== each.from) await raise(each, each.from)
      else if (now !== each.from)
        left.add(`${named([each])}: somebody set its limit to ${now}, it was ${each.from}`)
    }
    const tried = new Set<number>()
    // what is started while we look has the low limit, too
    for (let scan = 0; scan < MOST_SCANS; scan += 1) {
      const found = heirs(saved.filter(isRunning)).filter(({ pid }) => !tried.has(pid))
      if (found.length === 0) break
      for (const { from, ...heir } of found) {
        tried.add(heir.pid)
        await raise(heir, from)
      }
    }
    return {
      detail: `the limits of ${raised} processes raised again`,
      left: left.lines,
      failed: failed.lines,
      ...(isRaised ? { gone: `the limit of ${named(running)} is not what was set` } : {}),
    }
  },
  observe(plan) {
    const full = plan.processes.find((each) => Number(limitOf(each)) <= (openFilesLimit(each.pid, 0) ?? -1))
    return (
      full && {
        sign: 'EMFILE',
        detail: `${named([full])} uses every number below its limit, ${limitOf(full)}`,
      }
    )
  },
}

/** What was started by a process while its limit was low, or by such a child, and has that limit still: fork(2). */
function heirs(saved: readonly Limited[]): Heir[] {
  const known = new Set(saved.map(({ pid }) => pid))
  return descendants(known).flatMap(({ ancestor, ...child }) => {
    const { from, to, alike } = saved.find(({ pid }) => pid === ancestor)!
    const hadIt = alike.some(({ pid, start }) => pid === child.pid && start === child.start)
    return from !== to && !hadIt && limitOf(child) === to ? [{ ...child, from }] : []
  })
}

/** @returns in words; undefined where it is raised, or has ended */
async function whyNotRaised(process_: ProcessId, from: string): Promise<string | undefined> {
  try {
    // it may have made the low one its hard limit as well, which only root can raise again
    await setSoftLimit(process_, from).catch(() => setSoftLimit(process_, from, from))
    return undefined
  } catch (error) {
    if (isForkFailure(error)) throw error
    return isRunning(process_)
      ? `the limit of ${process_.pid} cannot be raised: ${(error as Error).message}`
      : undefined
  }
}

/** @returns undefined where it has ended */
function limitOf(process_: ProcessId): string | undefined {
  return isRunning(process_) ? softLimit(process_.pid, OPEN_FILES) : undefined
}

/** For another user's process that takes CAP_SYS_RESOURCE, or being that user: some roots do not have the former. */
async function setSoftLimit({ pid }: ProcessId, limit: string, hard = ''): Promise<void> {
  const set = ['prlimit', '--pid', String(pid), `--${OPEN_FILES.option}=${limit}:${hard}`] as const
  try {
    await command(...set)
  } catch (error) {
    const own = credentialsOf(pid)
    if (!(error instanceof CommandError) || !/not permitted/.test(error.stderr) || own === undefined)
      throw error
    await command('setpriv', `--reuid=${own.uid}`, `--regid=${own.gid}`, '--clear-groups', ...set)
  }
}
