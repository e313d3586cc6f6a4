/**
 * Direct evidence: the kernel's own trace of system calls that failed, of the target's processes alone
 * (tracefs, event raw_syscalls/sys_exit, in an instance of its own). Root only.
 */

import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { errnoName, errnoNumber } from '../errno.js'
import { CommandError, command } from '../sandbox/command.js'

const MOUNT_POINT = '/sys/kernel/tracing'
export const INSTANCES = path.join(MOUNT_POINT, 'instances')
const EVENT = 'events/raw_syscalls/sys_exit'
/** Room for some hundred failed calls on each processor; a full buffer drops the oldest, and one is enough. */
const BUFFER_KIB = 32

/** The name of every instance begins with this, followed by the process that has to remove it. */
export const INSTANCE_PREFIX = 'lightning-chaos-'

/** Something that sees the errors which the target's own system calls ran into. */
export interface ErrorTrace {
  /** For the report: 'kernel trace'. */
  readonly name: string
  /** Starts counting the calls that fail with one of the errors. */
  arm(errnos: readonly string[]): Promise<void>
  /** @returns how often each error was seen since `arm` */
  disarm(): Promise<ReadonlyMap<string, number>>
}

/**
 * The event is enabled, with a filter for every error that may be asked for, as long as the instance is there: to change
 * either waits for the kernel to be done with the old one, and to turn the recording on and off (tracing_on) does not.
 * Whom it follows has to be changed; that takes some 30 ms with nothing to compute, so it goes on beside the trial, one
 * after the other, and who needs it waits for it.
 */
export class KernelTrace implements ErrorTrace {
  readonly name = 'kernel trace'
  readonly #directory: string
  readonly #hostProc: string
  #errnos: readonly string[] = []
  #isArmed = false
  #changed: Promise<void> = Promise.resolve()

  private constructor(directory: string, hostProc: string) {
    this.#directory = directory
    this.#hostProc = hostProc
  }

  /**
   * Opens the trace of a slot. The next trial in the same slot uses it again, since the kernel takes 90 ms to remove
   * one; when the run is over, the janitor does. Whom it followed has died by then, and is no longer followed.
   * @param owner names the run, so that its janitor finds what is to be removed
   * @param slot sandboxes that run at the same time have different ones
   * @param hostProc the /proc in which processes have the numbers that the kernel uses
   * @param errnos the errors that it may be armed for
   * @returns undefined where this host has no such trace for us
   */
  static async open(
    owner: string,
    slot: number | 'drill',
    hostProc: string,
    errnos: readonly string[],
  ): Promise<KernelTrace | undefined> {
    if (!(await mountTracefs())) return undefined
    const directory = path.join(INSTANCES, `${INSTANCE_PREFIX}${owner}-${slot}`)
    const trace = new KernelTrace(directory, hostProc)
    if (existsSync(directory)) {
      trace.#record(false) // the trial before may have been killed
      trace.#take()
    } else {
      mkdirSync(directory)
      trace.#record(false)
      trace.#change('buffer_size_kb', String(BUFFER_KIB))
      trace.#change('options/event-fork', '1')
      trace.#change(`${EVENT}/filter`, errnos.map((errno) => `ret == -${errnoNumber(errno)}`).join(' || '))
      trace.#change(`${EVENT}/enable`, '1')
    }
    return trace
  }

  /**
   * Follows one of our own children, and everything that it starts, until they end. Waits for it only where the trace is
   * armed: there the child may run into the fault as soon as it opens its files.
   */
  async follow(pid: number): Promise<void> {
    const self = readlinkSync(path.join(this.#hostProc, 'self'))
    const children = readFileSync(path.join(this.#hostProc, self, 'task', self, 'children'), 'latin1')
    const hostPid = children.split(' ').find((child) => child !== '' && this.#innerPid(child) === pid)
    if (hostPid !== undefined) this.#change('set_event_pid', hostPid)
    if (this.#isArmed) await this.#changed
  }

  /** Follows processes of others with every thread that they have, and what these start. */
  async followAll(pids: readonly number[]): Promise<void> {
    const threads = pids.flatMap((pid) => namesIn(path.join(this.#hostProc, String(pid), 'task')))
    if (threads.length > 0) this.#change('set_event_pid', threads.join(' '))
    await this.#changed
  }

  async arm(errnos: readonly string[]): Promise<void> {
    this.#errnos = errnos
    this.#isArmed = true
    await this.#changed
    this.#record(true)
  }

  async disarm(): Promise<ReadonlyMap<string, number>> {
    this.#isArmed = false
    this.#record(false)
    const counts = new Map<string, number>()
    for (const [, number] of this.#take().matchAll(/sys_exit: NR \d+ = -(\d+)/g)) {
      const errno = errnoName(Number(number))
      if (this.#errnos.includes(errno)) counts.set(errno, (counts.get(errno) ?? 0) + 1)
    }
    return counts
  }

  /** Takes the instance away. It is of no use after that. */
  async remove(): Promise<void> {
    await this.#changed.catch(() => {}) // whoever asked for that change has heard of it
    removeInstance(path.basename(this.#directory))
  }

  /** The number that a process has in the innermost pid namespace: proc_pid_status(5), NSpid. */
  #innerPid(hostPid: string): number {
    const status = readFileSync(path.join(this.#hostProc, hostPid, 'status'), 'latin1')
    return Number(/^NSpid:.*?(\d+)$/m.exec(status)?.[1])
  }

  #record(isOn: boolean): void {
    writeFileSync(path.join(this.#directory, 'tracing_on'), isOn ? '1' : '0')
  }

  /** What was recorded since this was called last. */
  #take(): string {
    const pipe = openSync(path.join(this.#directory, 'trace_pipe'), constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      let text = ''
      for (let chunk = readNow(pipe); chunk !== ''; chunk = readNow(pipe)) text += chunk
      return text
    } finally {
      closeSync(pipe)
    }
  }

  /** Changes a file of the trace once all earlier changes are made. */
  #change(file: string, text: string): void {
    // set_event_pid adds when it is appended to, and replaces when it is truncated
    const flag = file === 'set_event_pid' ? 'a' : 'w'
    this.#changed = this.#changed.then(() => writeFile(path.join(this.#directory, file), text, { flag }))
    this.#changed.catch(() => {}) // heard by whoever waits for it
  }
}

/** Removes an instance that nobody uses any more, if it is there. */
export function removeInstance(name: string): void {
  try {
    rmdirSync(path.join(INSTANCES, name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** Mounts tracefs in our own mount namespace where the host has not. */
export async function mountTracefs(): Promise<boolean> {
  if (existsSync(INSTANCES)) return canTrace()
  if (!existsSync(MOUNT_POINT)) return false
  try {
    await command('mount', '-n', '-t', 'tracefs', 'tracefs', MOUNT_POINT)
  } catch (error) {
    if (error instanceof CommandError) return false // not allowed here: no direct evidence, and doctor says so
    throw error
  }
  return canTrace()
}

/** What can be read without waiting; '' where that is nothing. */
function readNow(pipe: number): string {
  const chunk = Buffer.alloc(1 << 16)
  try {
    return chunk.toString('latin1', 0, readSync(pipe, chunk))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return ''
    throw error
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return [] // the process has ended
  }
}

function canTrace(): boolean {
  return existsSync(path.join(MOUNT_POINT, EVENT))
}
