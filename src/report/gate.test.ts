import { describe, expect, it } from 'vitest'
import { runResult, scenario, trial, trials, violation } from '../testing/results.js'
import { judgeGate } from './gate.js'
import type { RunResult, TrialResult } from './result.js'

const lost = trial('failed', { violations: [violation('lost-write', 'key k07: put #412 was acked')] })
const crashed = trial('failed', { violations: [violation('crashed', 'the target crashed')] })

function judge(results: readonly TrialResult[], draft: Partial<RunResult> = {}) {
  return judgeGate(runResult({ scenarios: [scenario('diskfull/sweep', results)], ...draft }))
}

describe('judgeGate', () => {
  it.each<[string, TrialResult[], Partial<RunResult>, string]>([
    ['all passed', trials(132, 'passed'), {}, 'PASS 100.0% (132/132) >= 95%'],
    ['exactly at the target', [...trials(19, 'passed'), crashed], {}, 'PASS 95.0% (19/20) >= 95%'],
    [
      'a hair below, which does not read as reached',
      [...trials(1899, 'passed'), ...Array(101).fill(crashed)],
      {},
      'FAIL 94.9% (1899/2000) < 95%',
    ],
    [
      'a target with a fraction',
      trials(9, 'passed'),
      { gate: { target: 0.999, allowDataLoss: false } },
      'PASS 100.0% (9/9) >= 99.9%',
    ],
    ['inconclusive trials', [...trials(9, 'passed'), trial('inconclusive')], {}, 'FAIL 90.0% (9/10) < 95%'],
    ['errors', [...trials(9, 'passed'), trial('error')], {}, 'FAIL 90.0% (9/10) < 95%'],
    ['some skipped', [...trials(9, 'passed'), ...trials(9, 'skipped')], {}, 'PASS 100.0% (9/9) >= 95%'],
    [
      'one lost write in a thousand trials',
      [...trials(999, 'passed'), lost],
      {},
      'FAIL 99.9% (999/1000) >= 95%, but 1 data-loss violation',
    ],
    [
      'a rate too low and lost writes',
      [...trials(8, 'passed'), lost, lost],
      {},
      'FAIL 80.0% (8/10) < 95%, 2 data-loss violations',
    ],
    [
      'lost writes that are allowed',
      [...trials(99, 'passed'), lost],
      { gate: { target: 0.95, allowDataLoss: true } },
      'PASS 99.0% (99/100) >= 95%, 1 data-loss violation allowed',
    ],
    ['nothing but skips', trials(5, 'skipped'), {}, 'FAIL every trial was skipped'],
    ['no trial', [], {}, 'FAIL no trial ran'],
    [
      'a run that was interrupted',
      trials(5, 'passed'),
      { complete: false },
      'FAIL 100.0% (5/5) >= 95%, but the run is not complete',
    ],
    [
      'a run that was interrupted at once',
      [],
      { complete: false },
      'FAIL no trial ran and the run is not complete',
    ],
    [
      'a bound that is reached',
      trials(132, 'passed'),
      { gate: { target: 0.95, allowDataLoss: false, confidence: 0.95 } },
      'PASS 100.0% (132/132), at least 97.9% with 95% confidence >= 95%',
    ],
    [
      'a bound that too few trials cannot reach',
      trials(20, 'passed'),
      { gate: { target: 0.95, allowDataLoss: false, confidence: 0.95 } },
      'FAIL 100.0% (20/20), at least 88.0% with 95% confidence < 95%',
    ],
  ])('%s', (_, results, draft, line) => {
    const gate = judge(results, draft)
    expect(gate.line).toBe(line)
    expect(gate.met).toBe(line.startsWith('PASS'))
    expect(gate.reasons.length === 0).toBe(gate.met)
  })

  it.each<[string, number, number, number, string]>([
    [
      'a scenario that always fails',
      0,
      4,
      0.95,
      'FAIL 98.5% (264/268) >= 95%, but diskfull/deletes far below it',
    ],
    [
      'one that fails three times of four',
      1,
      4,
      0.95,
      'FAIL 98.8% (265/268) >= 95%, but diskfull/deletes far below it',
    ],
    ['one that chance explains', 2, 4, 0.95, 'PASS 99.2% (266/268) >= 95%'],
    ['one with a single trial', 0, 1, 0.95, 'PASS 99.6% (264/265) >= 95%'],
    ['a target that asks for nothing', 0, 4, 0, 'PASS 98.5% (264/268) >= 0%'],
  ])('among 66 that pass, %s', (_, passed, all, target, line) => {
    const results = [...trials(passed, 'passed'), ...Array(all - passed).fill(crashed)]
    const others = Array.from({ length: 66 }, (_, index) => scenario(`other/${index}`, trials(4, 'passed')))
    const scenarios = [...others, scenario('diskfull/deletes', results)]
    const gate = judgeGate(runResult({ scenarios, gate: { target, allowDataLoss: false } }))
    expect(gate.line).toBe(line)
    expect(gate.reasons).toEqual(gate.met ? [] : [`diskfull/deletes passed ${passed} of ${all} trials`])
  })

  it('counts scenarios that are far below where there are many', () => {
    const low = ['a', 'b', 'c'].map((name) => scenario(`low/${name}`, Array(4).fill(crashed)))
    const gate = judgeGate(runResult({ scenarios: [...low, scenario('other/d', trials(996, 'passed'))] }))
    expect(gate.line).toBe('FAIL 98.8% (996/1008) >= 95%, but 3 scenarios far below it')
  })

  it('says nothing of a single scenario where all are too low', () => {
    const scenarios = [scenario('a/b', trials(4, 'failed')), scenario('a/c', trials(4, 'passed'))]
    expect(judgeGate(runResult({ scenarios })).line).toBe('FAIL 50.0% (4/8) < 95%')
  })

  it('gives every reason', () => {
    expect(judge([...trials(8, 'passed'), lost, lost], { complete: false })).toMatchObject({
      passRate: 0.8,
      dataLoss: 2,
      reasons: ['the pass rate is 80.0% (8/10) < 95%', '2 data-loss violations', 'the run is not complete'],
    })
  })
})
