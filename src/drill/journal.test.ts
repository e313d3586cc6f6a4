import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { freshPath } from '../testing/directory.js'
import {
  activeDirectory,
  checkState,
  Journal,
  openState,
  readJournal,
  removeJournal,
  stateDirectory,
  wasUndone,
} from './journal.js'
import type { DrillPlan } from './plan.js'

const plan: DrillPlan = {
  schema: 1,
  id: '0123456789ab',
  fault: 'permissions',
  processes: [],
  leave: 0,
  reserved: false,
  forMs: 1000,
  host: 'h',
  user: 'u',
  madeAt: '2026-01-02T03:04:05.678Z',
  bootId: 'b',
  mountNamespace: 'mnt:[1]',
}
const watchdog = '1.2.3'

let state: string
beforeEach(() => {
  state = freshPath()
  openState(state)
})

const file = (name: string) => path.join(activeDirectory(state), name)
const things = (count: number) => Array.from({ length: count }, (_, thing) => ({ thing }))
const filled = async (count = 10) => Journal.begin(state, { plan, watchdog }).save(things(count))

test('what was saved is read back', async () => {
  expect(await filled(2500)).toEqual(things(2500))
  expect(readJournal(state)).toEqual({ plan, watchdog, saved: things(2500), armed: true, damage: [] })
})

test('is not armed before everything is saved', () => {
  Journal.begin(state, { plan, watchdog })
  expect(readJournal(state)).toEqual({ plan, watchdog, saved: [], armed: false, damage: [] })
})

test('goes where nothing can be saved', async () => {
  const broken = (function* () {
    yield { thing: 1 }
    readdirSync('/nowhere')
  })()
  // what could not be looked at is not taken for a journal that could not be written
  await expect(Journal.begin(state, { plan, watchdog }).save(broken)).rejects.toThrow(/^ENOENT/)
  expect(readJournal(state)).toBeUndefined()
})

test('there is one at a time', async () => {
  await filled()
  expect(() => Journal.begin(state, { plan, watchdog })).toThrow(/another drill is active/)
  removeJournal(state)
  removeJournal(state)
  expect(readJournal(state)).toBeUndefined()
  await filled()
})

// every length at which it could have been cut
test('cut anywhere, says so, and gives what is left of it', async () => {
  await filled()
  const { length } = readFileSync(file('saved.jsonl'))
  for (let left = length - 1; left >= 0; left -= 1) {
    truncateSync(file('saved.jsonl'), left)
    const found = readJournal(state)!
    expect(found.damage, `${left} bytes`).toEqual([
      expect.stringMatching(/^saved.jsonl is damaged: \d of 10/),
    ])
    expect(found.saved).toEqual(things(found.saved.length))
  }
})

test('a line that was changed is no less damage than one that is gone', async () => {
  await filled()
  writeFileSync(
    file('saved.jsonl'),
    readFileSync(file('saved.jsonl'), 'utf8').replace('"thing":4', '"thing":5'),
  )
  expect(readJournal(state)?.damage).toHaveLength(1)
  appendFileSync(file('saved.jsonl'), '{}\n')
  expect(readJournal(state)?.damage).toHaveLength(1)
})

test('a line that is no object is damage, and the others are read', async () => {
  await filled()
  appendFileSync(file('saved.jsonl'), 'null\n')
  expect(readJournal(state)).toMatchObject({
    saved: things(10),
    damage: [expect.stringMatching(/saved.jsonl/)],
  })
})

test('with armed.json gone, what was saved may have been changed', async () => {
  await filled()
  rmSync(file('armed.json'))
  expect(readJournal(state)).toMatchObject({ plan, armed: true, saved: things(10), damage: [] })
})

test.each(['plan.json', 'armed.json'])('with %s cut, the plan is in the other', async (name) => {
  await filled()
  truncateSync(file(name), Math.floor(readFileSync(file(name)).length / 2))
  expect(readJournal(state)).toMatchObject({
    plan,
    watchdog,
    saved: things(10),
    damage: [`${name} is damaged`],
  })
})

test('with plan.json gone, the plan is in armed.json', async () => {
  await filled()
  rmSync(file('plan.json'))
  expect(readJournal(state)).toMatchObject({ plan, damage: ['plan.json is gone'] })
})

test('a directory that others may write to, or a link to one, is not obeyed', () => {
  const why = /no directory that we alone may write to/
  expect(() => checkState(path.join(state, 'none'))).not.toThrow()
  expect(() => checkState(state)).not.toThrow()
  symlinkSync(state, path.join(state, 'link'))
  expect(() => checkState(path.join(state, 'link'))).toThrow(why)
  chmodSync(state, 0o777)
  expect(() => checkState(state)).toThrow(why)
})

test('a directory that others may put another one in the place of is not obeyed', () => {
  const parent = path.join(state, 'parent')
  const below = path.join(parent, 'state')
  openState(below)
  for (const [mode, isRefused] of [
    [0o755, false],
    [0o1777, false],
    [0o777, true],
    [0o757, true],
  ] as const) {
    chmodSync(parent, mode)
    const check = expect(() => checkState(below), mode.toString(8))
    if (isRefused) check.toThrow(/could be replaced by others/)
    else check.not.toThrow()
  }
})

test('where there can be no directory, there is no journal, and that is said', () => {
  expect(readJournal('/dev/null/state')).toBeUndefined()
  expect(() => openState('/dev/null/state')).toThrow(/cannot be written/)
  // where mkdir(2) says ENOENT, for ever
  expect(() => openState('/proc/state')).toThrow(/cannot be written/)
})

test('that a drill was undone is known without the log', async () => {
  const id = { ...plan, id: 'the first' }
  await Journal.begin(state, { plan: id, watchdog }).save([])
  expect(wasUndone(state, id)).toBe(false)
  removeJournal(state, id.id)
  expect(wasUndone(state, id)).toBe(true)
  // so it is where somebody removed the journal, and the watchdog undid it from memory
  const other = { ...plan, id: 'the second' }
  await Journal.begin(state, { plan: other, watchdog }).save([])
  rmSync(activeDirectory(state), { recursive: true })
  removeJournal(state, other.id)
  expect([wasUndone(state, id), wasUndone(state, other)]).toEqual([false, true])
})

test('links on the way to the state directory are resolved', () => {
  mkdirSync(path.join(state, 'real'))
  symlinkSync('real', path.join(state, 'link'))
  expect(stateDirectory(path.join(state, 'link/not/there'))).toBe(path.join(state, 'real/not/there'))
})
