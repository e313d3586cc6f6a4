import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyMap } from './key-map.js'

/** Few enough keys that they collide, many enough that leaves split. */
const key = fc.integer({ min: 0, max: 600 }).map((n) => `key-${n}`)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant('set' as const), key) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('delete' as const), key) },
)

describe('KeyMap', () => {
  it('does what a sorted Map does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 1500 }), key, (steps, after) => {
        const map = new KeyMap()
        const model = new Map<string, number>()
        for (const [i, [op, key]] of steps.entries()) {
          const previous = op === 'set' ? map.set(key, i, i + 1, i + 2) : map.delete(key)
          expect(previous?.slot).toBe(model.get(key))
          if (op === 'set') model.set(key, i)
          else model.delete(key)
        }
        const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
        expect(map.size).toBe(sorted.length)
        expect([...map.after(undefined)].map(([key, { slot }]) => [key, slot])).toEqual(sorted)
        expect([...map.after(after)].map(([key]) => key)).toEqual(
          sorted.map(([key]) => key).filter((key) => key > after),
        )
        for (const [key, slot] of sorted)
          expect(map.get(key)).toEqual({ slot, offset: slot + 1, length: slot + 2 })
      }),
      { numRuns: 30 },
    )
  })

  it('takes keys in ascending and in descending order', () => {
    for (const order of [1, -1]) {
      const map = new KeyMap()
      const keys = Array.from({ length: 1000 }, (_, i) => String(i).padStart(4, '0'))
      for (const key of order === 1 ? keys : keys.toReversed()) map.set(key, 1, 2, 3)
      expect([...map.after(undefined)].map(([key]) => key)).toEqual(keys)
      for (const key of keys) map.delete(key)
      expect(map.size).toBe(0)
      expect([...map.after(undefined)]).toEqual([])
    }
  })
})
