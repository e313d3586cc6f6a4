import { describe, expect, it } from 'vitest'
import { runResult, scenario, trials } from '../testing/results.js'
import { estimate as estimated, lastMeans, type RunRates, ratesOf } from './rates.js'

function rates(means: Record<string, number>, called = 'lightning'): RunRates {
  const scenarios = Object.entries(means).map(([name, durationMs]) =>
    scenario(name, trials(2, 'passed', { durationMs })),
  )
  return ratesOf(runResult({ scenarios }), { id: 'x', called })
}

const planned = [
  { name: 'a', trials: 10 },
  { name: 'b', trials: 5 },
]

function estimate(known: readonly RunRates[], called: string, trials: typeof planned, pace: number) {
  return estimated(lastMeans(known, called, trials), trials, pace)
}

describe('estimate', () => {
  it('is how long the trials took, by as many as run at a time', () => {
    const found = estimate([rates({ a: 1000, b: 200 })], 'lightning', planned, 2)
    expect(found?.totalMs).toBe((10 * 1000 + 5 * 200) / 2)
    expect([found?.shareMs('a'), found?.shareMs('b')]).toEqual([500, 100])
  })

  it('takes the last time of each scenario', () => {
    const found = estimate([rates({ a: 9000, b: 200 }), rates({ a: 1000 })], 'lightning', planned, 1)
    expect(found?.totalMs).toBe(10 * 1000 + 5 * 200)
  })

  it('takes a scenario that is new for a usual one', () => {
    expect(estimate([rates({ a: 1000 })], 'lightning', planned, 1)?.totalMs).toBe(15 * 1000)
  })

  it.each<[string, RunRates[], string]>([
    ['where nothing is known', [], 'lightning'],
    ['from another target', [rates({ a: 1000, b: 200 }, 'sqlite')], 'lightning'],
    ['where too little is known', [rates({ b: 200 })], 'lightning'],
    ['from other scenarios', [rates({ c: 200 })], 'lightning'],
  ])('is not made %s', (_, known, called) => {
    expect(estimate(known, called, planned, 1)).toBeUndefined()
  })
})
