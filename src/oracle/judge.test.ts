import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { STRICTEST } from '../target/contract.js'
import { live, PerfectStore, SEED } from '../testing/perfect-store.js'
import { judge } from './judge.js'

const options = { seed: SEED, contract: STRICTEST }

describe('a perfect store', () => {
  it('is never accused, whatever happens to it', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 10 }), (schedule, rounds) => {
        const store = new PerfectStore(schedule)
        live(store, rounds)
        store.close()
        const { violations, reason } = judge(store.events, options)
        expect(violations).toEqual([])
        expect(reason === undefined || reason.startsWith('no write was acked')).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})
