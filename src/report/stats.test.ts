import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { trial, trials } from '../testing/results.js'
import {
  belowTargetByChance,
  type Counts,
  counted,
  countVerdicts,
  fewerPassesByChance,
  passRate,
  sumEvidence,
  wilsonInterval,
  wilsonLowerBound,
} from './stats.js'

const counts = (passed: number, failed: number): Counts => ({
  trials: passed + failed,
  passed,
  failed,
  inconclusive: 0,
  skipped: 0,
  errors: 0,
})

describe('wilsonInterval', () => {
  // Wilson, "Probable inference, the law of succession, and statistical inference", 1927; the figures are R's
  // prop.test(x, n, correct = FALSE)
  it.each([
    [7, 8, 0.2480669, 0.6987953],
    [19, 1, 0.7638603, 0.9911191],
    [20, 0, 0.8388749, 1],
    [0, 20, 0, 0.1611251],
  ])('of %i passed and %i failed is from %f to %f', (passed, failed, low, high) => {
    const interval = wilsonInterval(counts(passed, failed), 0.95)
    expect(interval[0]).toBeCloseTo(low, 4)
    expect(interval[1]).toBeCloseTo(high, 4)
  })
})

describe('passRate', () => {
  it('is of all trials but the skipped ones', () => {
    const mixed = countVerdicts([
      ...trials(6, 'passed'),
      ...trials(1, 'failed'),
      ...trials(2, 'inconclusive'),
      ...trials(5, 'skipped'),
      ...trials(3, 'error'),
    ])
    expect(mixed).toEqual({ trials: 17, passed: 6, failed: 1, inconclusive: 2, skipped: 5, errors: 3 })
    expect(counted(mixed)).toBe(12)
    expect(passRate(mixed)).toBe(0.5)
  })

  it('is 0 where all were skipped', () => {
    expect(passRate(countVerdicts(trials(3, 'skipped')))).toBe(0)
  })
})

describe('wilsonLowerBound', () => {
  // (p + z²/2n - z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), worked out apart from this code.
  it.each([
    [20, 0, 0.95, 0.8808],
    [132, 0, 0.95, 0.9799],
    [95, 5, 0.95, 0.9008],
    [95, 5, 0.99, 0.8724],
    [0, 10, 0.95, 0],
    [0, 0, 0.95, 0],
  ])('%i passed and %i failed at %d', (passed, failed, confidence, bound) => {
    expect(wilsonLowerBound(counts(passed, failed), confidence)).toBeCloseTo(bound, 4)
  })

  it('is below the rate, and closer to it with more trials or less confidence', () => {
    const some = fc.integer({ min: 0, max: 500 })
    fc.assert(
      fc.property(some, fc.integer({ min: 1, max: 500 }), (failed, passed) => {
        const at95 = wilsonLowerBound(counts(passed, failed), 0.95)
        expect(at95).toBeLessThan(passRate(counts(passed, failed)))
        expect(wilsonLowerBound(counts(passed * 10, failed * 10), 0.95)).toBeGreaterThan(at95)
        expect(wilsonLowerBound(counts(passed, failed), 0.99)).toBeLessThan(at95)
      }),
    )
  })
})

describe('sumEvidence', () => {
  it('adds up by error and grade', () => {
    const evidence = sumEvidence([
      trial('passed', { evidence: { ENOSPC: { direct: 3, probe: 1 } } }),
      trial('failed', { evidence: { ENOSPC: { direct: 0, probe: 2 }, EIO: { direct: 1, probe: 0 } } }),
      trial('skipped'),
    ])
    expect(evidence).toEqual({ ENOSPC: { direct: 3, probe: 3 }, EIO: { direct: 1, probe: 0 } })
  })
})

describe('belowTargetByChance', () => {
  // Sums of C(n, k) p^k (1 - p)^(n - k), worked out apart from this code.
  it.each([
    [0, 4, 0.95, 0.05 ** 4],
    [2, 4, 0.95, 0.05 ** 4 + 4 * 0.95 * 0.05 ** 3 + 6 * 0.95 ** 2 * 0.05 ** 2],
    [1, 2, 0.5, 0.75],
    [4, 4, 0.95, 1],
    [0, 0, 0.95, 1],
    [3, 4, 1, 0],
    [0, 4, 0, 1],
  ])('%i of %i, at %d', (passed, all, target, probability) => {
    expect(belowTargetByChance({ passed, counted: all }, target)).toBeCloseTo(probability, 12)
  })

  it('copes with many trials', () => {
    expect(belowTargetByChance({ passed: 94_900, counted: 100_000 }, 0.95)).toBeCloseTo(0.0743, 3)
    expect(belowTargetByChance({ passed: 0, counted: 100_000 }, 0.95)).toBe(0)
  })
})

describe('fewerPassesByChance', () => {
  const rate = (passed: number, all: number) => ({ passed, counted: all })

  // Sums of C(n1, a) C(n2, b) / C(n1 + n2, a + b), worked out apart from this code.
  it.each([
    [8, 8, 8, 8, 1],
    [8, 8, 4, 8, 70 / 1820],
    [8, 8, 5, 8, 56 / 560],
    [3, 4, 1, 4, 17 / 70],
    [4, 8, 8, 8, 1],
    [0, 0, 3, 9, 1],
    [0, 5, 0, 7, 1],
  ])('after %i of %i, %i of %i or fewer', (passedBefore, before, passedAfter, after, probability) => {
    const found = fewerPassesByChance(rate(passedBefore, before), rate(passedAfter, after))
    expect(found).toBeCloseTo(probability, 12)
  })

  it('copes with more trials than a float can count the ways of', () => {
    expect(fewerPassesByChance(rate(99_000, 100_000), rate(98_900, 100_000))).toBeCloseTo(0.014924, 6)
    expect(fewerPassesByChance(rate(100_000, 100_000), rate(0, 100_000))).toBeLessThan(1e-300)
  })

  it('is a probability, and larger the more pass', () => {
    const rates = fc.tuple(fc.nat(200), fc.nat(200)).map(([a, b]) => rate(a, a + b))
    fc.assert(
      fc.property(rates, rates, (before, after) => {
        const found = fewerPassesByChance(before, after)
        expect(found).toBeGreaterThanOrEqual(0)
        expect(found).toBeLessThanOrEqual(1 + 1e-9)
        expect(found + fewerPassesByChance(after, before)).toBeGreaterThan(1 - 1e-9)
      }),
    )
  })
})
