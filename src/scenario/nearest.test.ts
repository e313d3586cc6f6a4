import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nearest } from './nearest.js'

describe('nearest', () => {
  it.each([
    ['diskful', ['permissions', 'diskfull'], 'diskfull'],
    ['DiskFull', ['diskfull'], 'diskfull'],
    ['sizee', ['kind', 'size', 'inodes'], 'size'],
    ['permisions/chmod', ['permissions/chown', 'permissions/chmod'], 'permissions/chmod'],
    ['banana', ['kind', 'size'], undefined],
    ['xy', ['ab'], undefined],
    ['', ['ab'], undefined],
    ['x', [], undefined],
  ])('%s of %j is %s', (text, candidates, expected) => {
    expect(nearest(text, candidates)).toBe(expected)
  })

  it('finds a word again after one edit', () => {
    const word = fc.stringMatching(/^[a-z]{4,12}$/)
    fc.assert(
      fc.property(word, fc.nat(), (original, at) => {
        const cut = at % original.length
        const slip = original.slice(0, cut) + original.slice(cut + 1)
        expect(nearest(slip, ['0000', original])).toBe(original)
      }),
    )
  })
})
