/** The service that a drill is about: its processes, and the rights that it has. */
import { closeSync, readFileSync } from 'node:fs'
import { HostError, UsageError } from '../errors.js'
import { CommandError, command } from '../sandbox/command.js'
import { openPlace, statOf } from './host/files.js'
import { textOf } from './host/kernel.js'
import { type Credentials, credentialsOf, processState } from './host/processes.js'
import type { Place, PlannedProcess } from './plan.js'

/** How the user says which one it is. */
export interface ServiceChoice {
  readonly pid?: number | undefined
  /** A unit of systemd. */
  readonly service?: string | undefined
  /** A name or a number. */
  readonly user?: string | undefined
}

export interface Service {
  readonly processes: readonly PlannedProcess[]
  readonly credentials: Credentials
  /** In words. */
  readonly description: string
}

/** Where nobody says more, the service has the rights of the directory's owner. @throws UsageError, HostError */
export async function findService(choice: ServiceChoice, place: Place | undefined): Promise<Service> {
  const processes = await processesOf(choice)
  const credentials = await rightsOf(choice, processes[0], place)
  const { uid, gid, capabilities = [] } = credentials
  const beyond = uid === 0 ? '' : capabilities.map((name) => `, cap_${name}`).join('')
  const who = `uid ${uid}, gid ${gid}${beyond}`
  const names = processes.map(({ name, pid }) => `${name} (${pid})`).join(', ')
  return { processes, credentials, description: names === '' ? who : `${names}, ${who}` }
}

async function processesOf({ pid, service }: ServiceChoice): Promise<PlannedProcess[]> {
  if (pid !== undefined) return [running(pid)]
  if (service === undefined) return []
  return (await unitProcesses(service)).map(running)
}

function running(pid: number): PlannedProcess {
  const state = processState(pid)
  if (state === undefined) throw new UsageError(`there is no process ${pid}`)
  const leader = Number(/^Tgid:\s*(\d+)$/m.exec(textOf(`/proc/${pid}/status`) ?? '')?.[1] ?? pid)
  if (leader !== pid) {
    throw new UsageError(`${pid} is a thread of ${leader}`, { hint: `name the process: --pid ${leader}` })
  }
  return { pid, start: state.start, name: state.name }
}

/** Its main process first. */
async function unitProcesses(unit: string): Promise<number[]> {
  let shown: string
  try {
    shown = await command('systemctl', 'show', '--property=MainPID,ControlGroup', '--', unit)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    throw new HostError(`systemd does not tell about ${unit}: ${error.stderr || error.message}`, {
      hint: 'name a process instead: --pid N',
    })
  }
  const property = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(shown)?.[1] ?? ''
  const main = Number(property('MainPID'))
  if (!(main > 0))
    throw new UsageError(`the unit ${unit} has no main process`, { hint: `systemctl status ${unit}` })
  const group = property('ControlGroup')
  return [main, ...inControlGroup(group).filter((pid) => pid !== main)]
}

/** Of the unified hierarchy, or of systemd's own in version 1. */
function inControlGroup(group: string): number[] {
  for (const root of ['/sys/fs/cgroup', '/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified']) {
    try {
      return readFileSync(`${root}${group}/cgroup.procs`, 'latin1').split('\n').filter(Boolean).map(Number)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return []
}

async function rightsOf(
  { user }: ServiceChoice,
  first: PlannedProcess | undefined,
  place: Place | undefined,
): Promise<Credentials> {
  const wanted = user === undefined ? rightsByDefault(first, place) : await rightsOfUser(user)
  const us = process.geteuid?.() ?? 0
  if (us !== 0 && wanted.uid !== us) {
    throw new HostError(`only root can try what uid ${wanted.uid} may do, and this is uid ${us}`, {
      hint: 'call it by sudo, or name yourself: --user $(id -u)',
    })
  }
  return wanted
}

function rightsByDefault(first: PlannedProcess | undefined, place: Place | undefined): Credentials {
  const own = first === undefined ? undefined : credentialsOf(first.pid)
  if (own !== undefined) return own
  if (place === undefined) return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, groups: [] }
  const fd = openPlace(place.path)
  try {
    const { uid, gid } = statOf(fd)
    return { uid: Number(uid), gid: Number(gid), groups: [] }
  } finally {
    closeSync(fd)
  }
}

/** The last one means nobody: setresuid(2). */
const MOST_USERS = 0xffff_ffff

async function rightsOfUser(user: string): Promise<Credentials> {
  const ask = async (what: string) => (await command('id', what, '--', user)).trim().split(' ').map(Number)
  try {
    const [[uid = 0], [gid = 0], groups] = await Promise.all([ask('-u'), ask('-g'), ask('-G')])
    return { uid, gid, groups }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    if (/^\d+$/.test(user) && Number(user) < MOST_USERS)
      return { uid: Number(user), gid: Number(user), groups: [] }
    throw new UsageError(`--user ${user}: ${error.stderr || error.message}`, { cause: error })
  }
}
