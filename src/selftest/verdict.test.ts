import { expect, test } from 'vitest'
import { runResult, scenario, trial, trials } from '../testing/results.js'
import { correctResult } from './verdict.js'

const skipped = trials(2, 'skipped', { reason: 'no btrfs' })

test('a target is clean where every trial passed, whatever this host cannot run', () => {
  const run = runResult({ scenarios: [scenario('a', trials(3, 'passed')), scenario('b', skipped)] })
  expect(correctResult('lightning', run)).toEqual({
    name: 'lightning',
    outcome: 'clean',
    version: '1.0.0',
    trials: 3,
    passed: 3,
    accusations: [],
    skipped: [{ scenario: 'b', why: 'no btrfs' }],
  })
})

test.for(['failed', 'inconclusive', 'error'] as const)('a trial that is %s is an accusation', (verdict) => {
  const bad = trial(verdict, { reason: 'so it is', replay: 'again' })
  const run = runResult({ scenarios: [scenario('a', [...trials(3, 'passed'), bad])] })
  expect(correctResult('lightning', run)).toMatchObject({
    outcome: 'accused',
    trials: 4,
    passed: 3,
    accusations: [{ scenario: 'a', verdict, reason: 'so it is', replay: 'again' }],
  })
})

test('a target that could not be tried at all is skipped, and not clean', () => {
  const run = runResult({ scenarios: [scenario('b', skipped)] })
  expect(correctResult('lightning', run)).toEqual({ name: 'lightning', outcome: 'skipped', why: 'no btrfs' })
})
