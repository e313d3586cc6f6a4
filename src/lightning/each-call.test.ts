/**
 * As SQLite tests itself (sqlite.org/testing.html, "I/O Error Testing"): the nth call that the store makes to the system
 * fails, for n = 1, 2, 3 … until none is left. Whatever that was, what was acked is there afterwards, and nothing is held.
 */
import fs, { cpSync, rmSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { freshPath, QUICK } from '../testing/directory.js'
import { LightningError, Store, salvage } from './index.js'

const SMALL = { segmentSize: 4096, reserveSize: 8192 }
const CALLS = [
  'openSync',
  'closeSync',
  'readSync',
  'writeSync',
  'fsyncSync',
  'fdatasyncSync',
  'fdatasync',
  'ftruncateSync',
  'fstatSync',
  'statSync',
  'renameSync',
  'unlinkSync',
  'rmSync',
  'mkdirSync',
  'readdirSync',
] as const

afterEach(() => {
  vi.restoreAllMocks()
})

type Extent = 'once' | 'from then on'

/** Calls from now on, of which the nth fails, or all from that one on. @returns whether it came that far */
function failNth(n: number, code: string, extent: Extent): () => boolean {
  let count = 0
  const failure = (call: string) => {
    count += 1
    return count === n || (extent === 'from then on' && count > n)
      ? Object.assign(new Error(`${code}: injected, ${call}`), { code, syscall: call.replace('Sync', '') })
      : undefined
  }
  for (const call of CALLS) {
    const real = fs[call] as (...args: unknown[]) => unknown
    vi.spyOn(fs, call).mockImplementation(((...args: unknown[]) => {
      const error = failure(call)
      if (error === undefined) return real(...args)
      // the descriptor is gone all the same: close(2)
      if (call === 'closeSync') real(...args)
      if (call !== 'fdatasync') throw error
      return setImmediate(args[1] as (error: Error) => void, error)
    }) as never)
  }
  return () => count >= n
}

/** What each key may hold: what was acked last, and what was asked for since. */
class Allowed {
  readonly #of: Map<string, (string | undefined)[]>

  constructor(before: Iterable<readonly [key: string, values: (string | undefined)[]]> = []) {
    this.#of = new Map(before)
  }

  copy(): Allowed {
    return new Allowed(this.#of)
  }

  async ask(store: Store, key: string, value: string | undefined): Promise<void> {
    const before = this.#of.get(key) ?? [undefined]
    this.#of.set(key, [...before, value])
    const asked = value === undefined ? store.delete(key) : store.put(key, value)
    const wasAcked = await succeeds(asked)
    if (wasAcked) this.#of.set(key, [value])
  }

  async expectIn(store: Store): Promise<void> {
    for (const [key, values] of this.#of) {
      expect(values, key).toContain((await store.get(key))?.toString())
    }
  }
}

/** Refusals have a type, whatever the system said. */
async function succeeds(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(LightningError)
    return false
  }
}

const openFiles = () => fs.readdirSync('/proc/self/fd').length

const value = (i: number) => `${i} `.padEnd(700, 'x')

/** @returns whether what was salvaged is said to be all of it */
async function live(dir: string, allowed: Allowed): Promise<boolean> {
  const store = await Store.open(dir, SMALL)
  for (let i = 0; i < 8; i++) await allowed.ask(store, `k${i % 5}`, value(i))
  await allowed.ask(store, 'k1', undefined)
  await succeeds(store.compact())
  await allowed.ask(store, 'k2', 'after')
  await succeeds(store.verify())
  await store.close()
  return succeeds(salvage(dir, `${dir}-salvaged`, SMALL))
}

const ERRORS = ['EIO', 'EMFILE', 'ENOSPC', 'EACCES']
const cases = (['once', 'from then on'] as const).flatMap((extent) =>
  ERRORS.map((code) => [code, extent] as const),
)

describe.skipIf(process.platform !== 'linux')('the nth call to the system fails', () => {
  /** A store that is to be made, and one that is there. */
  const beginnings: (readonly [dir: string | undefined, allowed: Allowed])[] = [[undefined, new Allowed()]]
  beforeAll(async () => {
    const dir = freshPath(QUICK)
    const allowed = new Allowed()
    await live(dir, allowed)
    beginnings.push([dir, allowed])
  })

  it.each(cases)('with %s, %s', { timeout: 120_000 }, async (code, extent) => {
    const before = openFiles()
    for (const [example, there] of beginnings) {
      for (let n = 1, failed = true; failed; n += 1) {
        const dir = freshPath(QUICK)
        const allowed = there.copy()
        if (example !== undefined) cpSync(example, dir, { recursive: true })
        const hasFailed = failNth(n, code, extent)
        let isSalvaged = false
        await succeeds(live(dir, allowed).then((whole) => (isSalvaged = whole)))
        failed = hasFailed()
        vi.restoreAllMocks()
        for (const each of isSalvaged ? [dir, `${dir}-salvaged`] : [dir]) await expectWell(each, allowed)
        expect(openFiles(), `files left open by call ${n}`).toBe(before)
        rmSync(path.dirname(dir), { recursive: true })
      }
    }
  })
})

/** It has what it may have, and does all that a store does. */
async function expectWell(dir: string, allowed: Allowed): Promise<void> {
  const store = await Store.open(dir, SMALL)
  expect(store.mode).toBe('read-write')
  await allowed.expectIn(store)
  await store.put('another', 'value')
  await store.compact()
  expect((await store.verify()).damage).toEqual([])
  await allowed.expectIn(store)
  await store.close()
}
