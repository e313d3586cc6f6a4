/** Nothing stays behind, whichever of our processes is killed, and whenever. */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { mountTracefs } from '../evidence/kernel-trace.js'
import { BIN, has, IDENTITIES, type Identity } from '../testing/cli.js'

const KILLS = 50
/** Our processes carry this in their environment, and hand it on. */
const MARK = 'LIGHTNING_CHAOS_TEST_MARK'
/** By then everything has been killed or has ended; a run of one trial takes about a second. */
const PATIENCE_MS = 30_000

const loopDevices = has('mkfs.ext4') && process.geteuid?.() === 0

for (const identity of IDENTITIES) {
  const scenario = identity.name === 'root' && loopDevices ? 'diskfull/ext4' : 'diskfull/neighbour'
  test(`as ${identity.name}, ${KILLS} kills at random moments of ${scenario} leave the host as it was`, {
    timeout: 600_000,
  }, async () => {
    await mountTracefs()
    const cwd = await mkdtemp(path.join(os.tmpdir(), 'lightning-chaos-test-'))
    await chmod(cwd, 0o777)
    const before = hostState()
    const killed = new Set<string>()
    for (let kill = 0; kill < KILLS; kill += 1) {
      killed.add(await killOnce(identity, scenario, cwd, `${process.pid}-${kill}`, (kill / KILLS) * 1500))
      expect(hostState(), `after kill ${kill} of ${[...killed].at(-1)}`).toEqual(before)
    }
    await rm(cwd, { recursive: true })
    // otherwise the kills came too early or too late to mean anything
    expect([...killed].some((name) => name.includes('inside.js'))).toBe(true)
    expect([...killed].some((name) => name.includes('bin/lightning-chaos.js'))).toBe(true)
  })
}

/** Starts a run, kills one of its processes, waits for the end of all. @returns the command line of what was killed */
async function killOnce(
  identity: Identity,
  scenario: string,
  cwd: string,
  mark: string,
  afterMs: number,
): Promise<string> {
  const [program, ...args] = [...identity.prefix, process.execPath, BIN, 'run', scenario, '--trials', '1']
  spawn(program!, args, { cwd, stdio: 'ignore', env: { ...process.env, HOME: '/nonexistent', [MARK]: mark } })
  await sleep(afterMs)
  const ours = marked(mark)
  const victim = ours[Math.floor(Math.random() * ours.length)]
  if (victim !== undefined) kill(victim.pid)
  const deadline = Date.now() + PATIENCE_MS
  while (marked(mark).length > 0) {
    if (Date.now() > deadline) throw new Error(`still there: ${marked(mark).map(({ command }) => command)}`)
    await sleep(20)
  }
  return victim?.command ?? 'nothing'
}

interface Process {
  readonly pid: number
  readonly command: string
}

function marked(mark: string): Process[] {
  return pids().flatMap((pid) => {
    const environment = read(`/proc/${pid}/environ`).split('\0')
    if (!environment.includes(`${MARK}=${mark}`)) return []
    return [{ pid, command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ') }]
  })
}

/** What a run could leave behind on a host. */
function hostState() {
  return {
    mounts: read('/proc/self/mountinfo'),
    loops: pathsIn('/sys/block').filter(
      (name) => name.startsWith('loop') && pathsIn(`/sys/block/${name}/loop`).length > 0,
    ),
    temporary: ours(os.tmpdir()),
    memory: ours('/dev/shm'),
    traces: ours('/sys/kernel/tracing/instances'),
    cgroups: pathsIn('/sys/fs/cgroup'),
  }
}

function ours(directory: string): string[] {
  return pathsIn(directory).filter((name) => name.startsWith('lightning-chaos'))
}

function pathsIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch {
    return [] // not on this host
  }
}

function pids(): number[] {
  return pathsIn('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return '' // the process ended, or is somebody else's
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
