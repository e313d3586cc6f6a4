import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it, vi } from 'vitest'
import type { Event } from '../history/events.js'
import { freshPath } from '../testing/directory.js'
import { random } from '../workload/random.js'
import { createWorkload } from '../workload/workload.js'
import { Driver } from './driver.js'
import { killDuring } from './kill.js'
import { Recorder } from './recorder.js'
import { Session } from './session.js'

// A process takes a while to start where many tests run at once.
vi.setConfig({ testTimeout: 30_000 })

const SPEC = {
  keys: 8,
  clients: 4,
  depth: 2,
  sizes: { largest: 500 },
  mix: { put: 1, delete: 0, batch: 0, get: 0, scan: 0 },
}

/** A session with a database that is right, and what happens in it. */
async function scene(seed: string) {
  const data = freshPath()
  mkdirSync(data)
  const events: Event[] = []
  const recorder = new Recorder((event) => events.push(event))
  const fixture = fileURLToPath(new URL('../../fixtures/broken/correct.js', import.meta.url))
  const session = new Session({
    command: [process.execPath, fixture],
    environment: {},
    cwd: '/',
    data,
    answerMs: 10_000,
    recorder,
    onProcess: async () => {},
    killStrays: async () => {},
  })
  await session.start()
  return { session, driver: new Driver(seed, SPEC, createWorkload(seed, SPEC), recorder), events }
}

it.each(['operations', 'compaction'] as const)(
  'kills a target that owes answers, during %s',
  async (during) => {
    for (const seed of ['a', 'b', 'c']) {
      const { session, driver, events } = await scene(seed)
      await killDuring(during, { session, driver, stream: random(seed) })
      const unanswered = events.filter((event) => event.type === 'info')
      expect(unanswered.length).toBeGreaterThan(0)
      expect(unanswered.every(({ error }) => !('code' in error))).toBe(true)
      expect(events.at(-1)).toMatchObject({ type: 'process', action: 'kill' })
      const asked = events.flatMap((event) => (event.type === 'invoke' ? [event.op.f] : []))
      expect(asked.includes('compact')).toBe(during === 'compaction')
      expect(session.pid).toBeUndefined()
    }
  },
)

it('kills what has nothing open as it is', async () => {
  const { session, driver, events } = await scene('a')
  await session.kill()
  await session.start()
  await session.stop()
  await killDuring('operations', { session, driver, stream: random('a') })
  expect(events.some((event) => event.type === 'invoke')).toBe(false)
})
