import fs, { cpSync, rmSync } from 'node:fs'
import fc from 'fast-check'
import { afterEach, expect, it, vi } from 'vitest'
import { freshPath } from '../testing/directory.js'
import { type BatchWrite, DiskFullError, Store } from './index.js'

const SMALL = { segmentSize: 4096, reserveSize: 0 }
const key = fc.integer({ min: 0, max: 30 }).map((n) => `k${n}`)
const write: fc.Arbitrary<BatchWrite> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constant('put' as const), key, fc.integer({ min: 0, max: 900 }).map(String)),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constant('delete' as const), key) },
)
/** What happens in a round: batches by writers that do not wait for each other, beside a compaction or not. */
const round = fc.record({
  batches: fc.array(fc.array(write, { maxLength: 4 }), { maxLength: 12 }),
  compacts: fc.integer({ min: 0, max: 2 }).map((n) => n > 0),
  /** No file may grow beyond that meanwhile (EFBIG), so that a compaction comes through in part. */
  limit: fc.option(fc.integer({ min: 1000, max: 4000 }), { nil: Number.POSITIVE_INFINITY, freq: 2 }),
  afterwards: fc.constantFrom('go on', 'reopen', 'crash'),
})

async function contentOf(store: Store): Promise<Map<string, string>> {
  return new Map((await store.scan()).map(([key, value]) => [key, value.toString()]))
}

/** What does not fit is refused, and not done. */
function expectFull(error: unknown): void {
  expect(error).toBeInstanceOf(DiskFullError)
}

/** The value with its length: 'x' as often as the number says, so that segments fill up. */
function enlarge(operation: BatchWrite): BatchWrite {
  return operation[0] === 'put' ? ['put', operation[1], 'x'.repeat(Number(operation[2]))] : operation
}

afterEach(() => {
  vi.restoreAllMocks()
})

/** RLIMIT_FSIZE, in this process. */
function limitFiles(): (bytes: number) => void {
  let limit = Number.POSITIVE_INFINITY
  const { writeSync } = fs
  vi.spyOn(fs, 'writeSync').mockImplementation(((...args: [number, Uint8Array, number, number, number]) => {
    const [fd, bytes, offset, length, position] = args
    const fits = Math.min(length, limit - position)
    if (fits > 0) return writeSync(fd, bytes, offset, fits, position)
    throw Object.assign(new Error('EFBIG: file too large, write'), { code: 'EFBIG', syscall: 'write' })
  }) as typeof writeSync)
  return (bytes) => {
    limit = bytes
  }
}

it('writers, compactions, reopens and crashes leave what a Map holds', async () => {
  const limitTo = limitFiles()
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 20 }), async (rounds) => {
      const dir = freshPath()
      const model = new Map<string, string>()
      let store = await Store.open(dir, SMALL)
      for (const { batches, compacts, limit, afterwards } of rounds) {
        limitTo(limit)
        const compaction = compacts ? store.compact().catch(expectFull) : undefined
        await Promise.all(
          batches.map(async (operations) => {
            const larger = operations.map(enlarge)
            await store.batch(larger).then(() => {
              // in the order of the commits
              for (const [op, key, value] of larger) {
                if (op === 'put') model.set(key, value as string)
                else model.delete(key)
              }
            }, expectFull)
          }),
        )
        expect(await contentOf(store)).toEqual(model)
        if (afterwards === 'crash') {
          // A copy is what a killed process leaves, maybe amid a compaction: the lock in it is held, by us.
          const copy = freshPath()
          cpSync(dir, copy, { recursive: true, filter: (path) => !path.includes('lock-') })
          const survivor = await Store.open(copy, SMALL)
          expect(await contentOf(survivor)).toEqual(model)
          expect((await survivor.verify()).damage).toEqual([])
          await survivor.close()
        }
        await compaction
        limitTo(Number.POSITIVE_INFINITY)
        if (afterwards === 'reopen') {
          await store.close()
          store = await Store.open(dir, SMALL)
          expect(await contentOf(store)).toEqual(model)
        }
      }
      await store.close()
      rmSync(dir, { recursive: true })
    }),
    { numRuns: 60 },
  )
})
