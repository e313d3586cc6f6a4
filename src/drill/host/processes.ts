/** Other processes of the host, and this boot of it: proc(5). */
import { readFileSync, readlinkSync, statSync } from 'node:fs'
import { capabilitiesIn } from './capabilities.js'
import { namesOf, textOf } from './kernel.js'
import { isWithin, type Mount, mountsOf } from './mounts.js'

/** A process, told apart from a later one with the same number by when it started, in clock ticks since boot. */
export interface ProcessId {
  readonly pid: number
  readonly start: string
}

export interface ProcessState extends ProcessId {
  /** 'T' stopped, 'Z' ended but not waited for, 'D' waiting for a disk …: proc_pid_stat(5). */
  readonly state: string
  readonly parent: number
  /** The program's name, as the kernel has it: 15 characters at most. */
  readonly name: string
}

/** @returns undefined where there is no such process */
export function processState(pid: number): ProcessState | undefined {
  return parseStat(textOf(`/proc/${pid}/stat`))
}

function parseStat(stat: string | undefined): ProcessState | undefined {
  if (stat === undefined) return undefined
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return {
    pid: Number.parseInt(stat, 10),
    name,
    state: fields[0]!,
    parent: Number(fields[1]),
    start: fields[19]!,
  }
}

/** Whether that very process is there, and has not ended. */
export function isRunning(process_: ProcessId): boolean {
  return stateOf(process_) !== undefined
}

/** @returns as ProcessState has it; of another thread, where the first has ended alone. Undefined where all have */
export function stateOf({ pid, start }: ProcessId): string | undefined {
  const now = processState(pid)
  if (now?.start !== start) return undefined
  if (!ENDED.includes(now.state)) return now.state
  const threads = threadsOf(pid).flatMap(
    (thread) => parseStat(textOf(`/proc/${pid}/task/${thread}/stat`)) ?? [],
  )
  return threads.find(({ state }) => !ENDED.includes(state))?.state
}

const ENDED = ['Z', 'X']

export function threadsOf(pid: number): string[] {
  return namesOf(`/proc/${pid}/task`)
}

/** Processes that still run and have a variable in their environment: 'NAME=value'. */
export function processesWith(variable: string): number[] {
  return pids().filter((pid) => {
    const state = processState(pid)
    const has = () => (textOf(`/proc/${pid}/environ`) ?? '').split('\0').includes(variable)
    return state !== undefined && isRunning(state) && has()
  })
}

/** proc_ns.h: the number of the pid namespace in which every process of the host is seen. */
const FIRST_PID_NAMESPACE = 'pid:[4026531836]'

/**
 * Whether a namespace has no process any more. Only the first pid namespace sees those of all others: else nobody can tell.
 * @param namespace as the kernel names it: 'pid:[4026531836]', 'mnt:[…]'
 */
export function isNamespaceGone(namespace: string): boolean {
  const [kind] = namespace.split(':')
  if (readlinkSync('/proc/self/ns/pid') !== FIRST_PID_NAMESPACE) return false
  return pids().every((pid) => {
    if (pid === 1) return true // it may not be looked at everywhere; the threads of the kernel are where it is
    try {
      return readlinkSync(`/proc/${pid}/ns/${kind}`) !== namespace
    } catch (error) {
      // what we may not look at may be in it
      return ['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')
    }
  })
}

/** The one that we are in. */
export function mountNamespace(): string {
  return readlinkSync('/proc/self/ns/mnt')
}

/** A process of each mount namespace, as far as we may look. */
export function mountNamespaces(): Map<string, number> {
  const found = pids().map((pid) => [follow(`/proc/${pid}/ns/mnt`), pid] as const)
  return new Map(found.filter(([namespace]) => namespace !== '').reverse())
}

/** Our own process and every one above it. */
export function lineage(): Set<number> {
  const found = new Set<number>()
  for (let pid = process.pid; pid > 0 && !found.has(pid); pid = processState(pid)?.parent ?? 0) found.add(pid)
  return found
}

/** Processes that some others have started, and those that these have, and so on; without those themselves. */
export function descendants(ancestors: ReadonlySet<number>): (ProcessId & { readonly ancestor: number })[] {
  const all = new Map(
    pids()
      .flatMap((pid) => processState(pid) ?? [])
      .map((state) => [state.pid, state]),
  )
  const ancestorOf = (pid: number): number | undefined => {
    const parent = all.get(pid)?.parent ?? 0
    return parent === 0 || ancestors.has(parent) ? parent || undefined : ancestorOf(parent)
  }
  return [...all.values()].flatMap(({ pid, start }) => {
    const ancestor = ancestors.has(pid) ? undefined : ancestorOf(pid)
    return ancestor === undefined ? [] : [{ pid, start, ancestor }]
  })
}

/** By which a process passes over what a file system refuses to others. */
const PASSING = ['dac_override', 'dac_read_search', 'fowner', 'sys_resource'] as const

type Passing = (typeof PASSING)[number]

export interface Credentials {
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  /** Absent where it has those that its user has by itself: root all, others none. */
  readonly capabilities?: readonly Passing[]
}

/** What rights a process has on files: proc_pid_status(5), the last of the four numbers. */
export function credentialsOf(pid: number): Credentials | undefined {
  const status = textOf(`/proc/${pid}/status`)
  if (status === undefined) return undefined
  const words = (name: string) => wordsIn(status, name)
  const effective: readonly string[] = capabilitiesIn(status)
  return {
    uid: Number(words('Uid')[3]),
    gid: Number(words('Gid')[3]),
    groups: words('Groups').map(Number),
    capabilities: PASSING.filter((name) => effective.includes(name)),
  }
}

/** The user who started a process: its real one, whatever rights its program has (set-user-ID). */
export function starterOf(pid: number): number | undefined {
  const status = textOf(`/proc/${pid}/status`)
  return status === undefined ? undefined : Number(wordsIn(status, 'Uid')[0])
}

function wordsIn(status: string, name: string): string[] {
  return (new RegExp(`^${name}:(.*)$`, 'm').exec(status)?.[1] ?? '').trim().split(/\s+/).filter(Boolean)
}

/** Other processes that have something open below a directory, as far as we may look. */
export function usersOf(directory: string): ProcessState[] {
  return others(() => (link) => isWithin(follow(link), directory))
}

/**
 * Other processes that have something open on a file system, wherever that is mounted for them, as far as we may look. Of what
 * another one covers by now, and has the same name, the number of the device tells.
 */
export function usersOn({ device, point }: Mount): ProcessState[] {
  const dev = deviceOf(point)
  if (dev === undefined) return []
  return others((pid) => {
    const own = mountsOf(pid).filter((each) => each.device === device)
    // what lies elsewhere may be on a disk that does not answer
    const mayBeThere = (target: string) => own.some((each) => isWithin(target, each.point))
    return (link) => mayBeThere(follow(link)) && deviceOf(link) === dev
  })
}

/** Other processes of which something that is open, or the working directory, is of some kind. */
function others(isOfKind: (pid: number) => (link: string) => boolean): ProcessState[] {
  return pids().flatMap((pid) => {
    if (pid === process.pid) return []
    const links = [`/proc/${pid}/cwd`, ...namesOf(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`)]
    const state = links.some(isOfKind(pid)) ? processState(pid) : undefined
    return state === undefined ? [] : [state]
  })
}

function pids(): number[] {
  return namesOf('/proc').map(Number).filter(Number.isInteger)
}

/** A new one with every boot. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
}

function deviceOf(link: string): number | undefined {
  try {
    return statSync(link).dev
  } catch {
    return undefined // closed meanwhile, or not ours to look at
  }
}

function follow(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return '' // closed meanwhile, or not ours to look at
  }
}
