import { execFileSync, spawnSync } from 'node:child_process'
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, test, vi } from 'vitest'
import { NOBODY as AS_NOBODY, cli } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'
import { UndoError } from './errors.js'
import { findPlace } from './host/place.js'
import { bootId } from './host/processes.js'
import type { DrillPlan } from './plan.js'
import { isInPlace, makeWorkloadDirectory, removeWorkloadDirectory } from './workload-directory.js'

/** What whoever owns the place does as soon as the directory is made. */
let afterMade: (directory: string) => void = () => {}
/** What others do right before a directory is removed. */
let beforeRemoved: (directory: string) => void = () => {}
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  const mkdirSync = ((where: string | Buffer, options: object) => {
    const made = fs.mkdirSync(where, options)
    if (String(where).includes('.lightning-chaos-workload-')) afterMade(path.basename(String(where)))
    return made
  }) as typeof fs.mkdirSync
  const rmdirSync = ((where: string | Buffer) => {
    beforeRemoved(String(where))
    fs.rmdirSync(where)
  }) as typeof fs.rmdirSync
  return { ...fs, mkdirSync, rmdirSync }
})

/** @returns what moves it back */
function moved(from: string, to: string): () => void {
  renameSync(from, to)
  return () => renameSync(to, from)
}

const NOBODY = { uid: 65534, gid: 65534, groups: [] }
let state: string
let data: string
let plan: DrillPlan
beforeEach(() => {
  afterMade = () => {}
  beforeRemoved = () => {}
  const root = freshPath()
  state = path.join(root, 'state')
  data = path.join(root, 'data')
  for (const each of [state, data]) mkdirSync(each, { recursive: true })
  plan = { id: 'x', place: findPlace(data), bootId: bootId() } as unknown as DrillPlan
})

test.each(['a file', 'a directory with something in it'])(
  '%s that was put in its place is not given away',
  async (what) => {
    const key = path.join(data, 'key')
    if (what === 'a file') writeFileSync(key, 'secret', { mode: 0o600 })
    else mkdirSync(path.join(key, 'below'), { recursive: true, mode: 0o700 })
    const { uid, ino } = statSync(key)
    afterMade = (name) => {
      renameSync(path.join(data, name), path.join(data, 'away'))
      renameSync(key, path.join(data, name))
    }
    await expect(makeWorkloadDirectory(state, plan, NOBODY)).rejects.toThrow(
      /not the directory that was just made/,
    )
    expect(statSync(path.join(data, '.lightning-chaos-workload-x'))).toMatchObject({ uid, ino })
    expect(readdirSync(state)).toEqual([])
  },
)

test('it is removed under another name, and what has its name by then is left', async () => {
  const made = await makeWorkloadDirectory(state, plan, NOBODY)
  expect(isInPlace(made)).toBe(true)
  const elsewhere = path.join(data, 'elsewhere')
  writeFileSync(path.join(made.path, 'log'), '')
  renameSync(made.path, elsewhere)
  expect(isInPlace(made)).toBe(false)
  mkdirSync(made.path)
  writeFileSync(path.join(made.path, 'theirs'), 'x')
  expect(isInPlace(made)).toBe(false)
  await removeWorkloadDirectory(state)
  expect(existsSync(elsewhere)).toBe(false)
  expect(readFileSync(path.join(made.path, 'theirs'), 'utf8')).toBe('x')
  expect(readdirSync(state)).toEqual([])
  rmSync(made.path, { recursive: true })
})

test.skipIf(process.geteuid?.() !== 0).each(['.', 'below'])(
  "the service's user, who has it open, puts nothing into it while it is removed: %s",
  async (name) => {
    const made = await makeWorkloadDirectory(state, plan, NOBODY)
    const directory = path.join(made.path, name)
    mkdirSync(directory, { recursive: true })
    chownSync(directory, NOBODY.uid, NOBODY.gid)
    writeFileSync(path.join(directory, 'log'), '')
    const fd = openSync(directory, 'r')
    const [setpriv, ...touch] = [...AS_NOBODY, 'touch', '/proc/self/fd/3/more']
    beforeRemoved = () => spawnSync(setpriv!, touch, { stdio: ['ignore', 'ignore', 'ignore', fd] })
    await removeWorkloadDirectory(state).finally(() => closeSync(fd))
    expect(existsSync(made.path)).toBe(false)
    expect(readdirSync(state)).toEqual([])
  },
)

test('it is removed although it gets another name meanwhile', async () => {
  const made = await makeWorkloadDirectory(state, plan, NOBODY)
  const elsewhere = path.join(data, 'elsewhere')
  beforeRemoved = () => {
    beforeRemoved = () => {}
    renameSync(made.path, elsewhere)
  }
  await removeWorkloadDirectory(state)
  expect([existsSync(made.path), existsSync(elsewhere)]).toEqual([false, false])
})

test('it is not called removed where somebody goes on writing to it all the time', async () => {
  const made = await makeWorkloadDirectory(state, plan, NOBODY)
  beforeRemoved = () => writeFileSync(path.join(made.path, 'log'), '')
  const clock = vi.spyOn(performance, 'now')
  let now = 0
  clock.mockImplementation(() => (now += 20_000))
  await expect(removeWorkloadDirectory(state)).rejects.toThrow(/workload-x' is not empty after 60 s/)
  clock.mockRestore()
  expect(readdirSync(state)).toEqual(['workload.json'])
  beforeRemoved = () => {}
  await removeWorkloadDirectory(state)
  expect([existsSync(made.path), readdirSync(state)]).toEqual([false, []])
})

const mounted = (where: string) => {
  mkdirSync(where, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', 'theirs', where])
  return () => execFileSync('umount', [where])
}

test.skipIf(process.geteuid?.() !== 0).each([
  ['the place has another name', () => moved(data, `${data}.away`), /is not the directory any more/],
  [
    'something is mounted over the place',
    () => mounted(data),
    /something is mounted over .*unmount that first/,
  ],
  ['something is mounted over it', (made: string) => mounted(made), /is covered by what is mounted over it/],
  ['something is mounted in it', (made: string) => mounted(path.join(made, 'in')), /EBUSY/],
] as const)('it is named, and removed the next time, where %s', async (_, begin, why) => {
  const { path: made } = await makeWorkloadDirectory(state, plan, NOBODY)
  const end = begin(made)
  const failure = await removeWorkloadDirectory(state).catch((error: unknown) => error)
  end()
  expect(failure).toBeInstanceOf(UndoError)
  expect((failure as Error).message).toMatch(why)
  expect((failure as Error).message).toContain(made)
  expect(await removeWorkloadDirectory(state)).toBe(true)
  expect([existsSync(made), readdirSync(state)]).toEqual([false, []])
})

test('it is not called removed where somebody has moved it elsewhere', async () => {
  const { path: made } = await makeWorkloadDirectory(state, plan, NOBODY)
  const note = path.join(state, 'workload.json')
  // of a tool that is gone
  writeFileSync(note, readFileSync(note, 'utf8').replace(/("tool":"\d+\.)\d+/, '$11'))
  const back = moved(made, `${data}.away`)
  const { exitCode, stdout } = await cli(['drill', 'undo', '--state', state])
  back()
  expect([exitCode, stdout]).toEqual([
    0,
    expect.stringMatching(/was not found; where somebody has moved it, it stays/),
  ])
  expect(readdirSync(state)).not.toContain('workload.json')
})
