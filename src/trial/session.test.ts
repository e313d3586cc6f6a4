import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it, vi } from 'vitest'
import type { Event } from '../history/events.js'
import { freshPath } from '../testing/directory.js'
import { Recorder } from './recorder.js'
import { Session } from './session.js'

// A process takes a while to start where many tests run at once.
vi.setConfig({ testTimeout: 30_000 })

/** A session with a target that breaks the protocol, and what happens in it. */
function sessionWith(fixture: string, answerMs: number) {
  const data = freshPath()
  mkdirSync(data)
  const events: Event[] = []
  const session = new Session({
    command: [
      process.execPath,
      fileURLToPath(new URL(`../../fixtures/misbehaving/${fixture}`, import.meta.url)),
    ],
    environment: {},
    cwd: '/',
    data,
    answerMs,
    recorder: new Recorder((event) => events.push(event)),
    onProcess: async () => {},
    killStrays: async () => {},
  })
  return { session, events }
}

it.each([
  ['ignores-stdin.js', 200, [{ type: 'process', action: 'hang' }]],
  ['dies-at-once.js', 20_000, [{ type: 'process', action: 'crash' }]],
  [
    'hangs-at-open.js',
    5000,
    [
      { type: 'process', action: 'start' },
      { type: 'open', ok: false },
      { type: 'process', action: 'hang' },
    ],
  ],
])(
  'a start that fails has the end of the process in its history: %s',
  async (fixture, answerMs, expected) => {
    const { session, events } = sessionWith(fixture, answerMs)
    await session.start()
    expect(events).toMatchObject(expected)
    expect(session.pid).toBeUndefined()
  },
)

it('a close that finds the process gone starts no open', async () => {
  const { session, events } = sessionWith('crashes-at-close.js', 20_000)
  await session.start()
  await session.reopen()
  expect(events.slice(2)).toMatchObject([{ type: 'close' }, { type: 'process', action: 'crash' }])
})
