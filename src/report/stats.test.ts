import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { trial, trials } from '../testing/results.js'
import { type Counts, counted, countVerdicts, passRate, sumEvidence, wilsonLowerBound } from './stats.js'

const counts = (passed: number, failed: number): Counts => ({
  trials: passed + failed,
  passed,
  failed,
  inconclusive: 0,
  skipped: 0,
  errors: 0,
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
