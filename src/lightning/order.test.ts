/** In which order calls are made, and by which descriptors: what no content shows before the power fails. */
import fs, { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { freshPath, QUICK } from '../testing/directory.js'
import { IoError, Store } from './index.js'

const SMALL = { segmentSize: 4096, reserveSize: 0 }

afterEach(() => {
  vi.restoreAllMocks()
})

/** What is opened, synced, and unlinked from now on, by name. */
function watch(): string[] {
  const calls: string[] = []
  const names = new Map<number, string>()
  const { openSync, fsyncSync, unlinkSync } = fs
  vi.spyOn(fs, 'openSync').mockImplementation((...args) => {
    const fd = openSync(...args)
    names.set(fd, String(args[0]))
    return fd
  })
  vi.spyOn(fs, 'fsyncSync').mockImplementation((fd) => {
    fsyncSync(fd)
    calls.push(`sync ${names.get(fd)}`)
  })
  vi.spyOn(fs, 'unlinkSync').mockImplementation((file) => {
    unlinkSync(file)
    calls.push(`unlink ${path.basename(String(file))}`)
  })
  return calls
}

function failure(syscall: string, code: string): Error {
  return Object.assign(new Error(`${code}: ${syscall}`), { code, syscall })
}

describe('a new directory', () => {
  it('is durable before anything is in it, also where whoever made it was killed before that', async () => {
    const dir = freshPath()
    mkdirSync(dir)
    const calls = watch()
    const store = await Store.open(dir, SMALL)
    await store.put('k', 'v')
    expect(calls).toContain(`sync ${path.dirname(dir)}`)
    await store.close()
    calls.length = 0
    const reopened = await Store.open(dir, SMALL)
    expect(calls).not.toContain(`sync ${path.dirname(dir)}`)
    await reopened.close()
  })

  it('is not made where that could not be made durable', async () => {
    const dir = freshPath()
    const { openSync } = fs
    vi.spyOn(fs, 'openSync').mockImplementation((...args) => {
      if (args[0] === path.dirname(dir)) throw failure('open', 'EACCES')
      return openSync(...args)
    })
    for (let i = 0; i < 2; i++) await expect(Store.open(dir, SMALL)).rejects.toThrow('EACCES')
    expect(fs.existsSync(dir)).toBe(false)
  })

  it('that is there may lie below one that may not be read', async () => {
    const dir = freshPath()
    mkdirSync(dir)
    const { openSync } = fs
    vi.spyOn(fs, 'openSync').mockImplementation((...args) => {
      if (args[0] === path.dirname(dir)) throw failure('open', 'EACCES')
      return openSync(...args)
    })
    const store = await Store.open(dir, SMALL)
    expect(store.mode).toBe('read-write')
    await store.close()
  })
})

it('what a compaction covered goes only once its rename is durable', async () => {
  const dir = freshPath()
  const store = await Store.open(dir, SMALL)
  for (let i = 0; i < 8; i++) await store.put(`k${i}`, 'x'.repeat(2000))
  const second = path.join(dir, '0000000002.log')
  const before = readFileSync(second)
  for (let i = 0; i < 8; i++) await store.put(`k${i}`, 'new')
  await store.compact()
  await store.close()
  // as after a crash between the rename and the removal
  writeFileSync(second, before)
  const calls = watch()
  await (await Store.open(dir, SMALL)).close()
  const unlinked = calls.indexOf('unlink 0000000002.log')
  expect(unlinked).toBeGreaterThan(calls.indexOf(`sync ${dir}`))
  expect(calls.slice(0, unlinked)).toContain(`sync ${dir}`)
})

describe('with more segments than are kept open', () => {
  const MANY = 600

  async function filled(large: boolean): Promise<{ store: Store; dir: string }> {
    const dir = freshPath(QUICK)
    const store = await Store.open(dir, { ...SMALL, segmentSize: large ? 1024 * 1024 : 4096 })
    await store.put('first', Buffer.alloc(large ? 900_000 : 3000, 'f'))
    await store.put('dead', 'x')
    await store.delete('dead')
    await store.close()
    const small = await Store.open(dir, SMALL)
    for (let i = 0; i < MANY; i++) await small.put(`k${i}`, Buffer.alloc(4000, `${i}`))
    return { store: small, dir }
  }

  it('a read leaves a segment open along which a compaction reads', async () => {
    const { store } = await filled(true)
    let isDone = false
    const compacting = store.compact().finally(() => {
      isDone = true
    })
    let reads = 0
    for (; !isDone; reads++) {
      expect((await store.get('first'))?.length).toBe(900_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await compacting
    expect(reads).toBeGreaterThan(0)
    await store.close()
  })

  it('reads go on where a compaction does not know whether its rename is durable', async () => {
    const { store } = await filled(false)
    // every other value counts no more, so that all files are written again
    for (let i = 0; i < MANY; i += 2) await store.delete(`k${i}`)
    const content = async () => {
      const all = await store.scan()
      return all.map(([key, value]) => `${key} ${value.subarray(0, 8)}`)
    }
    const before = await content()
    let renames = 0
    const { renameSync, fsyncSync } = fs
    vi.spyOn(fs, 'renameSync').mockImplementation((...args) => {
      renameSync(...args)
      renames += 1
    })
    vi.spyOn(fs, 'fsyncSync').mockImplementation((fd) => {
      if (renames > 100) throw failure('fsync', 'EIO')
      fsyncSync(fd)
    })
    await expect(store.compact()).rejects.toThrow(IoError)
    expect(renames).toBe(101)
    expect(await content()).toEqual(before)
    expect(await content()).toEqual(before)
    await store.close()
  })
})
