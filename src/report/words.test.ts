import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fill, oneLine, percent, plural, visible, visibleLines, wrap } from './words.js'

describe('percent', () => {
  it.each([
    [1, 1, '100.0%'],
    [0.9999, 1, '99.9%'],
    [0.95, 1, '95.0%'],
    [0.94999, 1, '94.9%'],
    [0.57, 1, '57.0%'],
    [0, 1, '0.0%'],
    [0.95, undefined, '95%'],
    [0.999, undefined, '99.9%'],
    [0.07, undefined, '7%'],
  ])('%d with %s digits is %s', (share, digits, text) => {
    expect(percent(share, digits)).toBe(text)
  })

  it('never shows a share as larger than it is', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 1, max: 1000 }), (passed, more) => {
        const share = passed / (passed + more)
        expect(Number.parseFloat(percent(share, 1)) / 100).toBeLessThanOrEqual(share + 1e-12)
      }),
    )
  })
})

describe('oneLine', () => {
  it('takes the power over a terminal from a text', () => {
    expect(oneLine('a\n  b\u001b[2J\u0007\u202e')).toBe('a b\\x1b[2J\\x07\\x202e')
  })

  it('shortens', () => {
    expect(oneLine('x'.repeat(1000))).toHaveLength(501)
  })
})

describe('visibleLines', () => {
  it('keeps the lines, and lets none but the first begin at the edge', () => {
    expect(visibleLines('two:\na\u001b[2J\r\nb')).toBe('two:\n  a\\x1b[2J\\x0d\n  b')
  })
})

describe('visible', () => {
  it('changes nothing that prints, so that a command can be copied', () => {
    const command = `run 'a  b' ${'x'.repeat(1000)}`
    expect(visible(`${command}\n\u001b\u2028`)).toBe(`${command}\\x0a\\x1b\\x2028`)
  })
})

describe('wrap', () => {
  it.each([
    ['a bc def', 4, ['a bc', 'def']],
    ['abcdefgh ij', 4, ['abcdefgh', 'ij']],
    ['', 4, ['']],
  ])('%j in %i columns', (text, width, lines) => {
    expect(wrap(text, width)).toEqual(lines)
  })

  it('loses no word', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,9}$/), { minLength: 1 }),
        fc.integer({ min: 9, max: 40 }),
        (words, width) => {
          const lines = wrap(words.join(' '), width)
          expect(lines.join(' ')).toBe(words.join(' '))
          expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width)
        },
      ),
    )
  })
})

describe('fill', () => {
  it('breaks only between chunks', () => {
    expect(fill(['diskfull/', 'under-', 'compaction'], 15)).toEqual(['diskfull/under-', 'compaction'])
  })
})

describe('plural', () => {
  it('knows one from many', () => {
    expect([0, 1, 2].map((count) => plural(count, 'trial'))).toEqual(['0 trials', '1 trial', '2 trials'])
  })
})
