/** Whatever is killed, and whenever: the host is as it was, at once or after `drill undo`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { INSTANCE_PREFIX, INSTANCES } from '../evidence/kernel-trace.js'
import { isAlive } from '../sandbox/owner.js'
import { BIN, cli } from '../testing/cli.js'
import { type DiskGroup, putIntoDiskGroup } from '../testing/disk-group.js'
import { type Ground, NO_GROUND, prepareGround } from '../testing/drill-ground.js'
import { allEnded, MARK, marked } from '../testing/leftovers.js'
import { processState } from './host/processes.js'
import { activeDirectory, readJournal } from './journal.js'

/** Kills of each fault; the long run of a release has 100. */
const KILLS = Number(process.env.DRILL_KILLS ?? 3)
const POLL = { timeout: 60_000, interval: 20 }
const GROUPS = '/sys/fs/cgroup/blkio'
const VICTIMS = ['tool', 'watchdog', 'both'] as const

/** Milliseconds after the start, or after the journal was armed. */
type Moment = { readonly afterMs: number } | { readonly armedMs: number }

interface Drilled {
  readonly ground: Ground
  /** A process of the service. */
  readonly pid: number
}

const FAULTS: Readonly<Record<string, (drilled: Drilled) => readonly string[]>> = {
  diskfull: ({ ground }) => ['--path', ground.data, '--leave', '256KiB'],
  inodes: ({ ground }) => ['--path', ground.data],
  permissions: ({ ground }) => ['--path', ground.data],
  readonly: ({ ground }) => ['--path', ground.data],
  immutable: ({ ground }) => ['--path', ground.data],
  slow: ({ ground, pid }) => ['--path', ground.data, '--pid', String(pid), '--bytes-per-second', '16KiB'],
  'quota-volume': ({ ground }) => [
    ...['--path', ground.data, '--size', '16MiB'],
    ...['--stop-cmd', ground.service.stop, '--start-cmd', ground.service.start],
  ],
  stall: ({ ground }) => ['--path', ground.data],
  pause: ({ pid }) => ['--pid', String(pid)],
  'fd-limit': ({ pid }) => ['--pid', String(pid)],
}

describe.skipIf(NO_GROUND !== undefined)(`kills (${NO_GROUND ?? 'root'})`, () => {
  let ground: Ground
  let room: ReturnType<Ground['free']>
  let service: ChildProcess
  let disks: DiskGroup
  beforeAll(() => {
    ground = prepareGround()
    room = ground.free()
    service = spawn('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'sleep', '100000'])
    disks = putIntoDiskGroup(service.pid!)
  })
  afterAll(async () => {
    service.kill('SIGKILL')
    await disks.remove()
    ground.remove()
  })

  test.each(Object.entries(FAULTS))('%s', { timeout: 60_000 + KILLS * 15_000 }, async (fault, options) => {
    const drilled = options({ ground, pid: service.pid! })
    const argv = ['drill', fault, ...drilled, '--for', '1s', '--yes', '--state', ground.state]
    const whole = host()
    const length = await undisturbed(argv)
    /** How often something was left to undo when the kill came. */
    let active = 0
    for (let kill = 0; kill < KILLS; kill += 1) {
      const victim = VICTIMS[kill % VICTIMS.length]!
      // every second one at any moment, the others while there is something to undo
      const moment =
        kill % 2 === 0
          ? { afterMs: ((kill + Math.random()) / KILLS) * length }
          : { armedMs: Math.random() * 200 }
      const { mark, wasActive } = await killOnce(argv, victim, moment)
      if (wasActive) active += 1
      // whichever of the two is left does it, unasked
      if (victim !== 'both') expect(readJournal(ground.state), victim).toBeUndefined()
      const undo = await cli(['drill', 'undo', '--state', ground.state])
      const story = `${victim}, ${JSON.stringify(moment)} of ${Math.round(length)}: ${undo.stdout}${undo.stderr}`
      expect(undo.exitCode, story).toBe(0)
      await allEnded(mark)
      expect(host(), story).toEqual(whole)
      expect(await settled(), story).toEqual(room)
      expect(readJournal(ground.state), story).toBeUndefined()
    }
    // otherwise the kills came too early or too late to mean anything
    expect(active).toBeGreaterThan(0)
  })

  test.each(Object.entries(FAULTS))('%s, and its journal cut', async (fault, options) => {
    const argv = ['drill', fault, ...options({ ground, pid: service.pid! }), '--yes', '--state', ground.state]
    const whole = host()
    await killOnce([...argv, '--for', '30s'], 'both', { armedMs: 1000 })
    const saved = path.join(activeDirectory(ground.state), 'saved.jsonl')
    const content = readFileSync(saved)
    const undo = () => cli(['drill', 'undo', '--state', ground.state])
    for (const length of [Math.floor(content.length / 2), 0]) {
      truncateSync(saved, length)
      const { exitCode, stderr } = await undo()
      expect(exitCode, stderr).toBe(4)
      expect(stderr).toMatch(/^error: (the undo journal is damaged|not everything could be put back)/m)
      // what it says is what it means to say
      expect(stderr).not.toMatch(/TypeError|undefined|Cannot read/)
    }
    writeFileSync(saved, content)
    // as if it had never been armed
    rmSync(path.join(activeDirectory(ground.state), 'armed.json'))
    const { exitCode, stderr } = await undo()
    expect(exitCode, stderr).toBe(0)
    expect(host()).toEqual(whole)
    expect(await settled()).toEqual(room)
  })

  /** Everything that a drill could change. */
  function host() {
    const limits = readFileSync(`/proc/${service.pid}/limits`, 'latin1')
    const group = readFileSync(`/proc/${service.pid}/cgroup`, 'latin1')
    const isStopped = processState(service.pid!)?.state === 'T'
    const throttled = [disks.limits(), ...groups(ground.state)]
    return { ...ground.snapshot(), isStopped, limits, group, throttled, traces: traces() }
  }

  async function undisturbed(argv: readonly string[]): Promise<number> {
    const started = performance.now()
    const { exitCode, stdout, stderr } = await cli(argv)
    expect(exitCode, stdout + stderr).toBe(0)
    return performance.now() - started
  }

  /** @returns the mark of its processes, and whether there was something to undo */
  async function killOnce(argv: readonly string[], victim: (typeof VICTIMS)[number], moment: Moment) {
    const mark = `${process.pid}-${Math.random()}`
    const child = spawn(process.execPath, [BIN, ...argv], {
      cwd: '/',
      stdio: 'ignore',
      env: { ...process.env, [MARK]: mark },
    })
    const ended = once(child, 'exit')
    if ('afterMs' in moment) await sleep(moment.afterMs)
    else {
      while (!isArmed() && child.exitCode === null) await sleep(2)
      await sleep(moment.armedMs)
    }
    const wasActive = isArmed()
    const watchdog = marked(mark).filter(({ command }) => command.includes('watchdog.js'))
    if (victim !== 'watchdog') child.kill('SIGKILL')
    if (victim !== 'tool') for (const { pid } of watchdog) end(pid)
    await ended
    // a witness may wait for the undo that comes next
    await expect.poll(() => marked(mark).filter(({ command }) => !isWitness(command)), POLL).toEqual([])
    return { mark, wasActive }
  }

  function isArmed(): boolean {
    return existsSync(path.join(activeDirectory(ground.state), 'armed.json'))
  }

  /** Room comes back a little after its file has gone. */
  async function settled() {
    for (let tries = 0; tries < 100 && JSON.stringify(ground.free()) !== JSON.stringify(room); tries += 1)
      await sleep(20)
    return ground.free()
  }
})

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Control groups of drills that are logged there: another test may do a drill at the same time. */
function groups(state: string): string[] {
  const log = path.join(state, 'audit.jsonl')
  const own = existsSync(log) ? readFileSync(log, 'utf8') : ''
  const all = existsSync(GROUPS) ? readdirSync(GROUPS) : []
  return all.filter((name) => own.includes(/^lightning-chaos-(.+)/.exec(name)?.[1] ?? '\0'))
}

/** Left by a watchdog that is gone: another test may do a drill at the same time. */
function traces(): string[] {
  const own = existsSync(INSTANCES) ? readdirSync(INSTANCES) : []
  return own.filter(
    (name) => name.endsWith('-drill') && !isAlive(name.slice(INSTANCE_PREFIX.length, -'-drill'.length)),
  )
}

function isWitness(command: string): boolean {
  return command.includes('witness.js')
}
