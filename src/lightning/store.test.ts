import fs, { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { freshPath } from '../testing/directory.js'
import { ALIGNMENT, FRAME_HEAD, HEADER_SIZE } from './format.js'
import {
  ClosedError,
  DiskFullError,
  LockedError,
  PermissionError,
  ReadOnlyError,
  Store,
  UsageError,
  verify,
} from './index.js'

const SMALL = { segmentSize: 4096, reserveSize: 8192 }

async function contentOf(store: Store): Promise<[string, string][]> {
  return (await store.scan()).map(([key, value]) => [key, value.toString()])
}

/** What a system call throws. */
function failure(syscall: string, code: string): Error {
  return Object.assign(new Error(`${code}: ${syscall}`), { code, syscall })
}

describe('Store', () => {
  it('keeps what was put, over a close and an open', async () => {
    const dir = freshPath()
    const first = await Store.open(dir)
    await first.put('text', 'grün')
    await first.put('bytes', Uint8Array.of(0, 255, 128))
    await first.put('empty', '')
    await first.put('gone', 'x')
    await first.delete('gone')
    await first.delete('never there')
    await first.close()
    const second = await Store.open(dir)
    expect((await second.get('text'))?.toString()).toBe('grün')
    expect([...(await second.get('bytes'))!]).toEqual([0, 255, 128])
    expect((await second.get('empty'))?.length).toBe(0)
    expect(await second.get('gone')).toBeUndefined()
    expect(second.recovered).toEqual({ tornTail: undefined, leftovers: [], staleLock: undefined })
    await second.close()
  })

  it('scans in the order of UTF-8 bytes, which is not that of UTF-16', async () => {
    const store = await Store.open(freshPath())
    const keys = ['\u{1f600}', '\uffee', 'b', 'a', 'é']
    await Promise.all(keys.map((key) => store.put(key, key)))
    expect((await store.scan()).map(([key]) => key)).toEqual(['a', 'b', 'é', '\uffee', '\u{1f600}'])
    expect((await store.scan({ after: 'b', limit: 2 })).map(([key]) => key)).toEqual(['é', '\uffee'])
    expect(await store.scan({ limit: 0 })).toEqual([])
    await store.close()
  })

  it('writes a commit over zeros that are durable, and makes room for many at a time', async () => {
    const store = await Store.open(freshPath(), { reserveSize: 0 })
    const calls: string[] = []
    const { writeSync, fdatasyncSync } = fs
    const write = vi.spyOn(fs, 'writeSync').mockImplementation(((...args: Parameters<typeof writeSync>) => {
      const bytes = args[1] as unknown as Buffer
      calls.push(bytes.every((byte) => byte === 0) ? 'zeros' : bytes.toString('latin1', 0, 4))
      return writeSync(...args)
    }) as typeof writeSync)
    const sync = vi.spyOn(fs, 'fdatasyncSync').mockImplementation((fd) => {
      calls.push('sync')
      fdatasyncSync(fd)
    })
    await store.put('a', '1')
    await store.put('b', '2')
    await store.put('c', 'x'.repeat(70_000))
    write.mockRestore()
    sync.mockRestore()
    await store.close()
    const header = ['LIGH', 'sync']
    const frame = ['FRME', 'sync']
    const room = ['zeros', 'sync']
    expect(calls).toEqual([...header, ...room, ...frame, ...frame, ...room, ...frame])
  })

  it('puts writers that wait together into one commit', async () => {
    const store = await Store.open(freshPath())
    await Promise.all(Array.from({ length: 64 }, (_, i) => store.put(`k${i}`, 'v')))
    expect(store.stats()).toMatchObject({ keys: 64, commits: 1 })
    await store.close()
  })

  it('applies a batch in its order', async () => {
    const store = await Store.open(freshPath())
    await store.batch([
      ['put', 'a', '1'],
      ['put', 'b', '1'],
      ['delete', 'a'],
      ['put', 'b', '2'],
    ])
    await store.batch([])
    expect(await contentOf(store)).toEqual([['b', '2']])
    await store.close()
  })

  it('refuses what it cannot keep', async () => {
    const store = await Store.open(freshPath())
    await expect(store.put('', 'v')).rejects.toThrow(UsageError)
    await expect(store.put('k'.repeat(65536), 'v')).rejects.toThrow(UsageError)
    await expect(store.put('\ud800', 'v')).rejects.toThrow(UsageError)
    await expect(store.put('k', 1 as unknown as string)).rejects.toThrow(UsageError)
    await expect(Store.open(freshPath(), { segmentSize: 1 })).rejects.toThrow(UsageError)
    expect(await contentOf(store)).toEqual([])
    await store.close()
  })

  it('keeps a second writer out, and lets readers in', async () => {
    const dir = freshPath()
    const store = await Store.open(dir)
    await store.put('k', 'v')
    await expect(Store.open(dir)).rejects.toThrow(LockedError)
    const reader = await Store.open(dir, { readOnly: true })
    expect(reader.mode).toBe('read-only')
    expect((await reader.get('k'))?.toString()).toBe('v')
    await expect(reader.put('k', 'w')).rejects.toThrow(ReadOnlyError)
    await expect(reader.compact()).rejects.toThrow(ReadOnlyError)
    await reader.close()
    await store.close()
  })

  it('lets timers and a compaction run beside a lone writer', async () => {
    const store = await Store.open(freshPath(), SMALL)
    let ticks = 0
    let isCompacted = false
    const timer = setInterval(() => ticks++, 0)
    const compacting = store.compact().then(() => {
      isCompacted = true
    })
    for (let i = 0; i < 400; i++) await store.put(`k${i % 20}`, 'v')
    expect(ticks).toBeGreaterThan(0)
    expect(isCompacted).toBe(true)
    clearInterval(timer)
    await compacting
    await store.close()
  })

  it('turns read-only where the reserve may not be removed on a full disk', async () => {
    const dir = freshPath()
    const store = await Store.open(dir, SMALL)
    await store.put('k', 'v')
    const refuse = (call: 'writeSync' | 'unlinkSync', code: string) =>
      vi.spyOn(fs, call).mockImplementation(() => {
        throw failure(call, code)
      })
    const spies = [refuse('writeSync', 'ENOSPC'), refuse('unlinkSync', 'EACCES')]
    await expect(store.put('l', 'v')).rejects.toThrow(DiskFullError)
    expect(store.mode).toBe('read-write')
    await expect(store.delete('k')).rejects.toThrow(PermissionError)
    expect(store.mode).toBe('read-only')
    for (const spy of spies) spy.mockRestore()
    expect(await contentOf(store)).toEqual([['k', 'v']])
    await store.close()
    const reopened = await Store.open(dir, SMALL)
    await reopened.delete('k')
    await reopened.close()
  })

  it('is closed, and free for the next, whatever close(2) says', async () => {
    const dir = freshPath()
    const store = await Store.open(dir)
    await store.put('k', 'v')
    const { closeSync } = fs
    const close = vi.spyOn(fs, 'closeSync').mockImplementation((fd) => {
      closeSync(fd)
      throw failure('close', 'EIO')
    })
    await store.close()
    close.mockRestore()
    const reopened = await Store.open(dir)
    expect(await contentOf(reopened)).toEqual([['k', 'v']])
    await reopened.close()
  })

  it('finishes the writes that wait when it is closed, and takes no more', async () => {
    const dir = freshPath()
    const store = await Store.open(dir)
    const writing = store.put('k', 'v')
    const closing = store.close()
    await expect(store.put('late', 'v')).rejects.toThrow(ClosedError)
    await Promise.all([writing, closing, store.close()])
    await expect(store.get('k')).rejects.toThrow(ClosedError)
    const reopened = await Store.open(dir)
    expect(await contentOf(reopened)).toEqual([['k', 'v']])
    await reopened.close()
  })

  it('says so where there is no store to read, or no directory', async () => {
    const dir = freshPath()
    await expect(Store.open(dir, { readOnly: true })).rejects.toThrow(UsageError)
    writeFileSync(dir, '')
    await expect(Store.open(dir)).rejects.toThrow(UsageError)
  })

  it('opens an empty directory to read, and writes nothing there', async () => {
    const dir = freshPath()
    mkdirSync(dir)
    const store = await Store.open(dir, { readOnly: true })
    expect(await contentOf(store)).toEqual([])
    await store.close()
    expect(readdirSync(dir)).toEqual([])
  })

  it('compacts to what counts, with writes going on', async () => {
    const dir = freshPath()
    const store = await Store.open(dir, SMALL)
    for (let i = 0; i < 400; i++) await store.put(`k${i % 20}`, `${i}`.repeat(20))
    for (let i = 0; i < 10; i++) await store.delete(`k${i}`)
    const before = store.stats()
    const compacting = store.compact()
    for (let i = 0; i < 50; i++) await store.put(`k${i % 15}`, `new ${i}`)
    await compacting
    await store.compact()
    const after = store.stats()
    expect(after.bytes).toBeLessThan(before.bytes / 10)
    const overhead = after.segments * (HEADER_SIZE + FRAME_HEAD + ALIGNMENT)
    expect(after.bytes - after.liveBytes).toBeLessThanOrEqual(overhead)
    const content = await contentOf(store)
    expect(content).toHaveLength(20)
    expect((await store.verify()).damage).toEqual([])
    await store.close()
    const reopened = await Store.open(dir, SMALL)
    expect(await contentOf(reopened)).toEqual(content)
    await reopened.close()
  })

  it('drops deletes once nothing older is left, and not before', async () => {
    const dir = freshPath()
    const store = await Store.open(dir, SMALL)
    await store.put('old', 'x'.repeat(3000))
    await store.put('keep', 'x'.repeat(3000))
    await store.delete('old')
    await store.put('fill', 'x'.repeat(3000))
    await store.compact()
    await store.delete('keep')
    await store.delete('fill')
    await store.compact()
    expect(store.stats()).toMatchObject({ keys: 0, liveBytes: 0 })
    await store.close()
    const reopened = await Store.open(dir, SMALL)
    expect(await contentOf(reopened)).toEqual([])
    await reopened.compact()
    expect(reopened.stats().bytes).toBeLessThan(400)
    await reopened.close()
  })

  it('does not read segments again whose content a compaction took over', async () => {
    const dir = freshPath()
    const store = await Store.open(dir, SMALL)
    for (let i = 0; i < 20; i++) await store.put(`k${i}`, 'x'.repeat(1000))
    const second = join(dir, '0000000002.log')
    const before = readFileSync(second)
    for (let i = 0; i < 20; i++) await store.delete(`k${i}`)
    await store.compact()
    expect(existsSync(second)).toBe(false)
    await store.close()
    writeFileSync(second, before)
    expect((await verify(dir)).damage).toEqual([])
    const reopened = await Store.open(dir, SMALL)
    expect(reopened.recovered.leftovers).toEqual([second])
    expect(await contentOf(reopened)).toEqual([])
    expect(existsSync(second)).toBe(false)
    await reopened.close()
  })

  it('removes what an unfinished compaction left behind', async () => {
    const dir = freshPath()
    const store = await Store.open(dir)
    await store.put('k', 'v')
    await store.close()
    const leftover = join(dir, '0000000001.log.tmp')
    writeFileSync(leftover, 'half a segment')
    const reader = await Store.open(dir, { readOnly: true })
    await reader.close()
    expect(readdirSync(dir)).toContain('0000000001.log.tmp')
    const writer = await Store.open(dir)
    expect(writer.recovered.leftovers).toEqual([leftover])
    expect(await contentOf(writer)).toEqual([['k', 'v']])
    expect(readdirSync(dir)).not.toContain('0000000001.log.tmp')
    await writer.close()
  })
})
