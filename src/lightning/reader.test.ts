import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { freshPath } from '../testing/directory.js'
import { compileStory } from '../testing/lightning/story.js'
import { Store, verify } from './index.js'

/** Bytes of a segment that holds one value. */
const SMALL = 4096

it('looks again where a compaction removed a file between the listing and the opening', async () => {
  const dir = freshPath()
  const store = await Store.open(dir)
  await store.put('k', 'v')
  const gone = () =>
    vi.spyOn(fs, 'readdirSync').mockReturnValueOnce(['0000000001.log', '0000000002.log'] as never)
  const listing = gone()
  const reader = await Store.open(dir, { readOnly: true })
  expect((await reader.get('k'))?.toString()).toBe('v')
  await reader.close()
  gone()
  expect((await verify(dir)).damage).toEqual([])
  listing.mockRestore()
  await store.close()
})

it('looks again where a compaction came between the listing and the opening', async () => {
  const dir = freshPath()
  const store = await Store.open(dir)
  await store.put('k', 'v')
  await store.put('k', 'w')
  await store.compact()
  expect(store.stats().segments).toBe(2)
  // as it was before: the file of that name has another content by now, which does not end the log
  const listing = vi.spyOn(fs, 'readdirSync')
  listing.mockReturnValueOnce(['0000000001.log'] as never)
  const reader = await Store.open(dir, { readOnly: true })
  expect((await reader.get('k'))?.toString()).toBe('w')
  await reader.close()
  listing.mockReturnValueOnce(['0000000001.log'] as never)
  expect((await verify(dir)).damage).toEqual([])
  listing.mockRestore()
  await store.close()
})

it('reads what a compaction has replaced since, however many files that were', async () => {
  const dir = freshPath()
  const store = await Store.open(dir, { segmentSize: SMALL })
  const keys = Array.from({ length: 600 }, (_, i) => `k${i}`)
  for (const key of keys) await store.put(key, Buffer.alloc(SMALL, key))
  const reader = await Store.open(dir, { readOnly: true })
  expect(reader.stats().segments).toBeGreaterThan(512)
  for (const key of keys) await store.put(key, 'new')
  await store.compact()
  expect(store.stats().segments).toBeLessThan(10)
  for (const key of keys) expect((await reader.get(key))?.toString()).toContain(key)
  await reader.close()
  await store.close()
})

describe('beside a process that writes, rotates and compacts without rest', () => {
  const story = compileStory('busy-writer')
  let writer: ChildProcess

  afterEach(() => {
    writer.kill('SIGKILL')
  })

  async function startWriter(dir: string): Promise<void> {
    writer = spawn(process.execPath, [story.program, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(writer.stdout!, 'data')
  }

  it('a reader sees what was durable when it opened, or later', async () => {
    const dir = freshPath()
    await startWriter(dir)
    let last = 0
    for (let i = 0; i < 100; i++) {
      const reader = await Store.open(dir, { readOnly: true })
      const old = (await reader.scan({ limit: 11 })).filter(([key]) => key !== 'last')
      expect(old.map(([key, value]) => [key, value.length])).toEqual(
        Array.from({ length: 10 }, (_, i) => [`old${i}`, 100_000]),
      )
      const next = Number.parseInt((await reader.get('last'))?.toString() ?? '0', 10)
      expect(next).toBeGreaterThanOrEqual(last)
      last = next
      await reader.close()
    }
    expect(last).toBeGreaterThan(0)
  })

  it('verify finds no damage', async () => {
    const dir = freshPath()
    await startWriter(dir)
    for (let i = 0; i < 100; i++) expect((await verify(dir)).damage).toEqual([])
  })
})
