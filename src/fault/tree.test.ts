import { lstat, mkdir, mkdtemp, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { change, walk } from './tree.js'

let base: string
let root: string
let outside: string

beforeEach(async () => {
  base = await mkdtemp(path.join(os.tmpdir(), 'lightning-chaos-test-'))
  root = path.join(base, 'data')
  outside = path.join(base, 'outside')
  await mkdir(path.join(root, 'below'), { recursive: true })
  await mkdir(outside)
  await writeFile(path.join(root, 'log'), 'twelve bytes', { mode: 0o640 })
  await writeFile(path.join(root, 'below', 'log'), '')
  await writeFile(path.join(outside, 'secret'), '', { mode: 0o600 })
})
afterEach(() => rm(base, { recursive: true }))

const names = async () => (await walk(root)).map(({ name }) => name)
const mode = async (file: string) => (await stat(file)).mode & 0o777

test('lists the directory itself first, then what is below it', async () => {
  expect(await names()).toEqual(['', 'below', 'below/log', 'log'])
  expect((await walk(root)).at(-1)).toMatchObject({ isDirectory: false, mode: 0o640, size: 12 })
})

test('follows no link, to a file or to a directory', async () => {
  await symlink(outside, path.join(root, 'directory-link'))
  await symlink(path.join(outside, 'secret'), path.join(root, 'file-link'))
  await symlink('nowhere', path.join(root, 'dangling'))
  await symlink('/proc/self/root', path.join(root, 'everything'))
  expect(await names()).toEqual(['', 'below', 'below/log', 'log'])
})

test('changes a mode', async () => {
  const [, , , log] = await walk(root)
  await change(root, log!, { mode: 0 })
  expect(await mode(path.join(root, 'log'))).toBe(0)
})

test('changes nothing where a link took the place of a file', async () => {
  const log = (await walk(root)).at(-1)!
  await rm(path.join(root, 'log'))
  await symlink(path.join(outside, 'secret'), path.join(root, 'log'))
  await change(root, log, { mode: 0o777 })
  expect(await mode(path.join(outside, 'secret'))).toBe(0o600)
})

test('changes nothing where a link took the place of a directory on the way', async () => {
  const inner = (await walk(root)).find(({ name }) => name === 'below/log')!
  await rename(path.join(outside, 'secret'), path.join(outside, 'log'))
  await rm(path.join(root, 'below'), { recursive: true })
  await symlink(outside, path.join(root, 'below'))
  await change(root, inner, { mode: 0o777 })
  expect(await mode(path.join(outside, 'log'))).toBe(0o600)
  expect((await lstat(path.join(root, 'below'))).isSymbolicLink()).toBe(true)
})

test('leaves alone what is gone', async () => {
  const log = (await walk(root)).at(-1)!
  await rm(path.join(root, 'log'))
  await change(root, log, { mode: 0o777 })
  expect(await names()).toEqual(['', 'below', 'below/log'])
})
