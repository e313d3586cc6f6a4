import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freshPath } from '../../testing/directory.js'
import { mounts } from './mounts.js'
import { unmount } from './unmount.js'

const isRoot = process.geteuid?.() === 0

let root: string
const at = (name: string) => path.join(root, name)
const mountedAt = (name: string) => mounts().find(({ point }) => point === at(name))

beforeEach(() => {
  root = freshPath()
  for (const name of ['ours/data', 'theirs/data']) {
    mkdirSync(at(name), { recursive: true })
    if (isRoot) execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', at(name)])
  }
})
afterEach(() => {
  for (const { point } of mounts()) if (point.startsWith(`${root}/`)) execFileSync('umount', [point])
  rmSync(root, { recursive: true })
})

test.skipIf(!isRoot)('what is mounted there (root)', async () => {
  await unmount(mountedAt('ours/data')!)
  expect(mountedAt('ours/data')).toBeUndefined()
})

test.skipIf(!isRoot).each([
  ['a link to another one', () => symlinkSync(at('theirs'), at('ours')), 'theirs/data'],
  ['the directory of another one', () => renameSync(at('theirs'), at('ours')), 'ours/data'],
] as const)(
  'not what is found under its name, where that leads to %s by now (root)',
  async (_, exchange, theirs) => {
    const ours = mountedAt('ours/data')!
    const other = mountedAt('theirs/data')!
    renameSync(at('ours'), at('away'))
    exchange()
    await expect(unmount(ours)).rejects.toThrow(/something else by now/)
    expect(mountedAt('away/data')?.id).toBe(ours.id)
    expect(mountedAt(theirs)?.id).toBe(other.id)
  },
)
