/** Nothing stays behind, whichever of our processes is killed, and whenever. */
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mountTracefs } from '../evidence/kernel-trace.js'
import { BIN, has, IDENTITIES } from '../testing/cli.js'
import { type Container, startContainer } from '../testing/container.js'
import { allEnded, hostState, MARK, marked } from '../testing/leftovers.js'

/** By then a run of one trial is over, when nothing else is going on. */
const LENGTH_MS = 1500

const loopDevices = has('mkfs.ext4') && process.geteuid?.() === 0

let container: Container
beforeAll(async () => {
  await mountTracefs()
  container = await startContainer()
})
afterAll(() => container.close())

for (const { name, prefix } of IDENTITIES) {
  const scenario = name === 'root' && loopDevices ? 'diskfull/ext4' : 'diskfull/neighbour'
  test(
    `as ${name}, 50 kills at random moments of ${scenario} leave the host as it was`,
    {
      timeout: 600_000,
    },
    () => killMany(50, [...prefix, process.execPath, BIN, 'run', scenario, '--trials', '1'], hostState),
  )
}

test('without namespaces, 15 kills at random moments of permissions/mode-000 leave the host as it was', {
  timeout: 300_000,
}, async () => {
  const run = [process.execPath, BIN, 'run', 'permissions/mode-000', '--trials', '1', '--isolation', 'none']
  await killMany(15, [...container.prefix, ...run], () => ({ ...hostState(), memory: container.memory() }))
})

async function killMany(kills: number, argv: readonly string[], state: () => unknown): Promise<void> {
  const before = state()
  const killed = new Set<string>()
  for (let kill = 0; kill < kills; kill += 1) {
    const mark = `${process.pid}-${kill}-${argv.length}`
    killed.add(await killOnce(argv, mark, (kill / kills) * LENGTH_MS))
    expect(state(), `after kill ${kill} of ${[...killed].at(-1)}`).toEqual(before)
  }
  // otherwise the kills came too early or too late to mean anything
  expect([...killed].some((name) => name.includes('inside.js'))).toBe(true)
  expect([...killed].some((name) => name.includes('bin/lightning-chaos.js'))).toBe(true)
}

/** Starts a run, kills one of its processes, waits for the end of all. @returns the command line of what was killed */
async function killOnce(
  [program, ...args]: readonly string[],
  mark: string,
  afterMs: number,
): Promise<string> {
  const env = { ...process.env, HOME: '/nonexistent', [MARK]: mark }
  spawn(program!, args, { cwd: '/', stdio: 'ignore', env })
  await sleep(afterMs)
  const ours = marked(mark)
  const victim = ours[Math.floor(Math.random() * ours.length)]
  if (victim !== undefined) kill(victim.pid)
  await allEnded(mark)
  return victim?.command ?? 'nothing'
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
