import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TrialResult } from '../report/result.js'
import { trial, violation } from '../testing/results.js'
import type { BrokenDatabase } from './catalogue.js'
import { type Attempt, hunt, planHunt } from './hunt.js'

const database: BrokenDatabase = {
  name: 'half-batches',
  bug: 'writes a batch one by one',
  expects: ['torn-batch', 'phantom-write'],
  scenarios: ['diskfull/workload'],
}
const scenarios = ['a', 'b', 'c'].map((name) => ({ name, trials: 8 }))

test('a hunt goes through the scenarios in turn, with other seeds each time', () => {
  const named = fc.integer({ min: 1, max: 3 }).map((count) => scenarios.slice(0, count))
  fc.assert(
    fc.property(named, fc.integer({ min: 1, max: 20 }), (some, trials) => {
      const attempts = planHunt(some, { seed: 's', trials })
      expect(attempts.map(({ scenario }) => scenario.name)).toEqual(
        Array.from({ length: trials }, (_, number) => some[number % some.length]!.name),
      )
      expect(new Set(attempts.map(({ key }) => key.seed)).size).toBe(trials)
      for (const scenario of some) {
        const indexes = attempts.filter((each) => each.scenario === scenario).map(({ key }) => key.index)
        expect(indexes).toEqual([...indexes.keys()])
      }
    }),
  )
})

test('a hunt ends with the first trial that shows what was expected', async () => {
  const { result, ran } = await huntThrough([
    trial('passed', { scenario: 'a' }),
    trial('failed', { scenario: 'b', violations: [violation('hung', 'no answer')], reason: 'no answer' }),
    trial('failed', {
      scenario: 'c',
      replay: 'the third',
      violations: [violation('hung', 'no answer'), violation('phantom-write', 'it is there')],
    }),
    trial('passed'),
  ])
  expect(ran).toBe(3)
  expect(result).toMatchObject({ outcome: 'found', trials: 3, scenario: 'c', replay: 'the third' })
  expect(result).toHaveProperty('violation', {
    kind: 'phantom-write',
    severity: 'data-loss',
    summary: 'it is there',
  })
})

test('a bug that no trial shows is missed, whatever else they show', async () => {
  const { result } = await huntThrough([
    trial('passed', { scenario: 'a', replay: 'first' }),
    trial('failed', {
      scenario: 'b',
      replay: 'second',
      reason: 'no answer',
      violations: [violation('hung', 'no answer'), violation('hung', 'again')],
    }),
    trial('error', { scenario: 'c', replay: 'third', reason: 'the sandbox died' }),
  ])
  expect(result).toMatchObject({ outcome: 'missed', trials: 3 })
  expect(result).toHaveProperty('instead', [
    { scenario: 'a', verdict: 'passed', replay: 'first' },
    { scenario: 'b', verdict: 'failed', reason: 'hung: no answer', replay: 'second' },
    { scenario: 'c', verdict: 'error', reason: 'the sandbox died', replay: 'third' },
  ])
})

async function huntThrough(results: readonly TrialResult[]) {
  const attempts = planHunt(scenarios, { seed: 's', trials: results.length })
  let ran = 0
  const run = async (_: Attempt<unknown>) => results[ran++]!
  return { result: await hunt(database, attempts, run), ran }
}
