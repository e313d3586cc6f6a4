/** Nothing stays behind, whichever of our processes is killed, and whenever. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mountTracefs } from '../evidence/kernel-trace.js'
import { BIN, has, IDENTITIES } from '../testing/cli.js'
import { type Container, startContainer } from '../testing/container.js'
import { allEnded, HostWatch, MARK, marked, until } from '../testing/leftovers.js'

const loopDevices = has('mkfs.ext4') && process.geteuid?.() === 0
/** The disk of a file system can be glass. */
const disk = loopDevices && existsSync('/dev/fuse')

let container: Container
beforeAll(async () => {
  // a run mounts it in a namespace of its own; here, to see what it leaves there
  await mountTracefs()
  container = await startContainer()
})
afterAll(() => container.close())

for (const { name, prefix } of IDENTITIES) {
  const scenario = name === 'root' && loopDevices ? 'diskfull/ext4' : 'diskfull/neighbour'
  test(`as ${name}, 50 kills at random moments of ${scenario} leave the host as it was`, {
    timeout: 600_000,
  }, async () => {
    const run = [process.execPath, BIN, 'run', scenario, '--trials', '1', '--no-save']
    await killMany(50, [...prefix, ...run], new HostWatch())
  })
}

test.skipIf(!disk)(
  '22 kills of power-loss/disk-ext4, of its disk too, leave the host as it was',
  {
    timeout: 300_000,
  },
  async () => {
    const run = [process.execPath, BIN, 'run', 'power-loss/disk-ext4', '--trials', '1', '--no-save']
    const host = new HostWatch()
    await killMany(10, run, host, [...OURS, 'server.js'])
    // the sandbox dies while its disk is mounted: whoever ends last must not have to wait for itself
    for (let kill = 0; kill < 12; kill += 1) {
      const itIsMounted = async (mark: string) => {
        await until(() => programs(mark).some(({ name }) => name === 'server.js'))
        await sleep(Math.random() * 400)
      }
      await killOnce(run, host, itIsMounted, () => 'inside.js')
    }
  },
)

test('without namespaces, 15 kills at random moments of permissions/mode-000 leave the host as it was', {
  timeout: 300_000,
}, async () => {
  const run = [
    process.execPath,
    BIN,
    'run',
    'permissions/mode-000',
    '--trials',
    '1',
    '--isolation',
    'none',
    '--no-save',
  ]
  await killMany(15, [...container.prefix, ...run], new HostWatch(container.memory))
})

/** Of these, each has to have been killed once: otherwise the kills came too early or too late to mean anything. */
const OURS = ['lightning-chaos.js', 'inside.js', 'lightning.js']

async function killMany(
  kills: number,
  argv: readonly string[],
  host: HostWatch,
  ours: readonly string[] = OURS,
): Promise<void> {
  const length = await undisturbed(argv, host)
  /** How often each of our programs was killed. */
  const killed = new Map<string, number>()
  const leastKilled = (running: readonly string[]) =>
    [...running].sort((a, b) => (killed.get(a) ?? 0) - (killed.get(b) ?? 0))[0]
  for (let kill = 0; kill < kills; kill += 1) {
    const moment = ((kill + Math.random()) / kills) * length
    const victim = await killOnce(argv, host, () => sleep(moment), leastKilled)
    killed.set(victim, (killed.get(victim) ?? 0) + 1)
  }
  for (const program of ours.filter((each) => !killed.has(each))) {
    const itRuns = (mark: string) => until(() => programs(mark).some(({ name }) => name === program))
    expect(await killOnce(argv, host, itRuns, () => program)).toBe(program)
  }
}

/** @returns how long a run takes that nobody kills, in milliseconds */
async function undisturbed([program, ...args]: readonly string[], host: HostWatch): Promise<number> {
  const started = performance.now()
  const env = { ...process.env, HOME: '/nonexistent', TMPDIR: host.temporary }
  await once(spawn(program!, args, { cwd: '/', stdio: 'ignore', env }), 'exit')
  return performance.now() - started
}

/**
 * Starts a run, kills one of its processes, waits for the end of all, and looks for what they left.
 * @param moment of the kill
 * @param choose which of the programs that run then
 * @returns what was killed
 */
async function killOnce(
  [program, ...args]: readonly string[],
  host: HostWatch,
  moment: (mark: string) => Promise<unknown>,
  choose: (running: readonly string[]) => string | undefined,
): Promise<string> {
  const mark = `${process.pid}-${Math.random()}`
  const env = { ...process.env, HOME: '/nonexistent', TMPDIR: host.temporary, [MARK]: mark }
  const { pid } = spawn(program!, args, { cwd: '/', stdio: 'ignore', env })
  await moment(mark)
  const running = programs(mark)
  const name = choose(running.map((each) => each.name))
  const victim = running.find((each) => each.name === name)
  if (victim !== undefined) kill(victim.pid)
  await allEnded(mark)
  const what = victim?.name ?? 'nothing'
  expect(await host.left(pid!), `after a kill of ${what}`).toEqual([])
  return what
}

/** The programs that a run has running. */
function programs(mark: string): { readonly pid: number; readonly name: string }[] {
  return marked(mark).map(({ pid, command }) => ({ pid, name: programOf(command) }))
}

/** 'inside.js' of '/usr/bin/node /…/inside.js', 'unshare' of 'unshare --mount …'. */
function programOf(command: string): string {
  return /[\w.-]+\.js/.exec(command)?.[0] ?? command.split(' ')[0]!
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
