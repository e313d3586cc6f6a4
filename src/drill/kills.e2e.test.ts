/** Whatever is killed, and whenever: the host is as it was, at once or after `drill undo`. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BIN, cli } from '../testing/cli.js'
import { type Ground, NO_GROUND, prepareGround } from '../testing/drill-ground.js'
import { allEnded, MARK, marked } from '../testing/leftovers.js'
import { readJournal } from './journal.js'

/** Kills of each fault; the long run of a release has 100. */
const KILLS = Number(process.env.DRILL_KILLS ?? 6)
const VICTIMS = ['tool', 'watchdog', 'both'] as const

const FAULTS: Readonly<Record<string, readonly string[]>> = {
  diskfull: ['--leave', '256KiB'],
  permissions: [],
}

describe.skipIf(NO_GROUND !== undefined)(`kills (${NO_GROUND ?? 'root'})`, () => {
  let ground: Ground
  let before: ReturnType<Ground['snapshot']>
  let room: ReturnType<Ground['free']>
  beforeAll(() => {
    ground = prepareGround()
    before = ground.snapshot()
    room = ground.free()
  })
  afterAll(() => ground.remove())

  test.each(Object.entries(FAULTS))('%s', { timeout: 60_000 + KILLS * 15_000 }, async (fault, options) => {
    const argv = [
      'drill',
      fault,
      '--path',
      ground.data,
      ...options,
      '--for',
      '400ms',
      '--yes',
      '--state',
      ground.state,
    ]
    const length = await undisturbed(argv)
    /** How often something was left to undo when the kill came. */
    let active = 0
    for (let kill = 0; kill < KILLS; kill += 1) {
      const victim = VICTIMS[kill % VICTIMS.length]!
      const moment = ((kill + Math.random()) / KILLS) * length
      if (await killOnce(argv, victim, moment)) active += 1
      const undo = await cli(['drill', 'undo', '--state', ground.state])
      const story = `${victim} after ${Math.round(moment)} ms of ${Math.round(length)}: ${undo.stdout}${undo.stderr}`
      expect(undo.exitCode, story).toBe(0)
      expect(ground.snapshot(), story).toEqual(before)
      expect(await settled(), story).toEqual(room)
      expect(readJournal(ground.state), story).toBeUndefined()
    }
    // otherwise the kills came too early or too late to mean anything
    expect(active).toBeGreaterThan(0)
  })

  async function undisturbed(argv: readonly string[]): Promise<number> {
    const started = performance.now()
    const { exitCode, stdout, stderr } = await cli(argv)
    expect(exitCode, stdout + stderr).toBe(0)
    return performance.now() - started
  }

  /** @returns whether a drill was active at that moment */
  async function killOnce(argv: readonly string[], victim: (typeof VICTIMS)[number], afterMs: number) {
    const mark = `${process.pid}-${Math.random()}`
    const child = spawn(process.execPath, [BIN, ...argv], {
      cwd: '/',
      stdio: 'ignore',
      env: { ...process.env, [MARK]: mark },
    })
    const ended = once(child, 'exit')
    await sleep(afterMs)
    const watchdog = marked(mark).filter(({ command }) => command.includes('watchdog.js'))
    const wasActive = readJournal(ground.state)?.armed ?? false
    if (victim !== 'watchdog') child.kill('SIGKILL')
    if (victim !== 'tool') for (const { pid } of watchdog) end(pid)
    await ended
    await allEnded(mark)
    return wasActive
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
