import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, test, vi } from 'vitest'
import { freshPath } from '../testing/directory.js'
import { findPlace } from './host/place.js'
import { bootId } from './host/processes.js'
import type { DrillPlan } from './plan.js'
import { isInPlace, makeWorkloadDirectory, removeWorkloadDirectory } from './workload-directory.js'

/** What whoever owns the place does as soon as the directory is made. */
let afterMade: (directory: string) => void = () => {}
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  const mkdirSync = ((where: string | Buffer, options: object) => {
    const made = fs.mkdirSync(where, options)
    if (String(where).includes('.lightning-chaos-workload-')) afterMade(path.basename(String(where)))
    return made
  }) as typeof fs.mkdirSync
  return { ...fs, mkdirSync }
})

const NOBODY = { uid: 65534, gid: 65534, groups: [] }
let state: string
let data: string
let plan: DrillPlan
beforeEach(() => {
  afterMade = () => {}
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
