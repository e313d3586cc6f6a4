import { describe, expect, it } from 'vitest'
import { digest, random } from './random.js'

const draw = (...path: (string | number)[]) => {
  const stream = random('seed', ...path)
  return [stream.uint32(), stream.uint32(), stream.uint32()]
}

describe('random', () => {
  it('gives the same numbers in every release', () => {
    expect(draw()).toMatchInlineSnapshot(`
      [
        877158384,
        3154046127,
        2678551671,
      ]
    `)
    expect(draw('operation', 7)).toMatchInlineSnapshot(`
      [
        3878297064,
        219800506,
        2877933704,
      ]
    `)
    expect(digest('', 'ключ', '🗝', -1)).toMatchInlineSnapshot(`
      [
        2331149185,
        2802166545,
        2237660643,
        2835446524,
      ]
    `)
  })

  it('gives each path a stream of its own, wherever its parts end and whatever their type', () => {
    const paths = [
      [],
      [''],
      ['ab', 'c'],
      ['a', 'bc'],
      ['abc'],
      ['a', 'b', 'c'],
      [1],
      ['1'],
      [1, 2],
      [12],
      ['\u0000'],
    ]
    expect(new Set(paths.map((path) => draw(...path).join())).size).toBe(paths.length)
    expect(digest('ab')).not.toEqual(digest('a', 'b'))
  })

  it('changes about half of all bits where one bit of the name changes', () => {
    const ones = (word: number) => word.toString(2).replaceAll('0', '').length
    for (let lane = 0; lane < 4; lane++) {
      let changed = 0
      for (let n = 0; n < 256; n++)
        changed += ones((digest('s', 2 * n)[lane]! ^ digest('s', 2 * n + 1)[lane]!) >>> 0)
      expect(changed / 256).toBeGreaterThan(14)
      expect(changed / 256).toBeLessThan(18)
    }
  })

  it('is even', () => {
    const stream = random('even')
    const counts = new Array<number>(10).fill(0)
    for (let i = 0; i < 10_000; i++) counts[stream.integer(0, 9)]!++
    expect(Math.min(...counts)).toBeGreaterThan(880)
    expect(Math.max(...counts)).toBeLessThan(1120)
  })

  it('samples different numbers below the bound, up to all of them', () => {
    const stream = random('sample')
    const seen = new Set<number>()
    for (let i = 0; i < 200; i++) {
      const sample = stream.sample(3, 10)
      expect(new Set(sample).size).toBe(3)
      for (const number of sample) seen.add(number)
    }
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(stream.sample(4, 4).sort()).toEqual([0, 1, 2, 3])
  })
})
