/** Nothing stays behind, whichever of our processes is killed, and whenever. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mountTracefs } from '../evidence/kernel-trace.js'
import { BIN, has, IDENTITIES } from '../testing/cli.js'
import { type Container, startContainer } from '../testing/container.js'
import { allEnded, HostWatch, MARK, marked } from '../testing/leftovers.js'

const loopDevices = has('mkfs.ext4') && process.geteuid?.() === 0

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

async function killMany(kills: number, argv: readonly string[], host: HostWatch): Promise<void> {
  const length = await undisturbed(argv, host)
  /** How often each of our programs was killed. */
  const killed = new Map<string, number>()
  for (let kill = 0; kill < kills; kill += 1) {
    const moment = ((kill + Math.random()) / kills) * length
    const { pid, victim } = await killOnce(argv, host, moment, killed)
    killed.set(victim, (killed.get(victim) ?? 0) + 1)
    expect(await host.left(pid), `after kill ${kill} of ${victim}`).toEqual([])
  }
  // otherwise the kills came too early or too late to mean anything
  expect([...killed.keys()]).toEqual(
    expect.arrayContaining(['inside.js', 'lightning-chaos.js', 'lightning.js']),
  )
}

/** @returns how long a run takes that nobody kills, in milliseconds */
async function undisturbed([program, ...args]: readonly string[], host: HostWatch): Promise<number> {
  const started = performance.now()
  const env = { ...process.env, HOME: '/nonexistent', TMPDIR: host.temporary }
  await once(spawn(program!, args, { cwd: '/', stdio: 'ignore', env }), 'exit')
  return performance.now() - started
}

/**
 * Starts a run, kills one of its processes, waits for the end of all. Of the programs that are running then, it is the
 * one that was killed least often.
 * @returns the run, and what was killed
 */
async function killOnce(
  [program, ...args]: readonly string[],
  host: HostWatch,
  afterMs: number,
  killed: ReadonlyMap<string, number>,
) {
  const mark = `${process.pid}-${Math.random()}`
  const env = { ...process.env, HOME: '/nonexistent', TMPDIR: host.temporary, [MARK]: mark }
  const { pid } = spawn(program!, args, { cwd: '/', stdio: 'ignore', env })
  await sleep(afterMs)
  const times = ({ command }: { command: string }) => killed.get(programOf(command)) ?? 0
  const [victim] = marked(mark).sort((a, b) => times(a) - times(b))
  if (victim !== undefined) kill(victim.pid)
  await allEnded(mark)
  return { pid: pid!, victim: victim === undefined ? 'nothing' : programOf(victim.command) }
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
