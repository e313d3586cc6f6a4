import { Chalk } from 'chalk'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VIOLATION_SEVERITY, type ViolationKind } from '../oracle/violation.js'
import { runResult, scenario, trial, trials, violation } from '../testing/results.js'
import { type Baseline, compareWithBaseline, type Tally } from './baseline.js'
import { judgeGate } from './gate.js'
import { renderGithub } from './github.js'
import { jsonReport } from './json.js'
import { renderMarkdown } from './markdown.js'
import type { RunResult } from './result.js'
import { renderTable } from './table.js'

const KINDS = Object.keys(VIOLATION_SEVERITY) as ViolationKind[]

function tally(passed: number, counted: number, ...violations: ViolationKind[]): Tally {
  return { name: 'a/b', passed, counted, violations }
}

function compareOne(before: Tally | undefined, after: Tally | undefined, goodEnough = true) {
  const list = (one: Tally | undefined) => (one === undefined ? [] : [one])
  const [difference] = compareWithBaseline(list(before), list(after), () => goodEnough)
  return difference!
}

describe('compareWithBaseline', () => {
  it.each<[string, Tally, Tally, 'worse' | 'better' | 'same']>([
    ['the same figures', tally(7, 8, 'hung'), tally(7, 8, 'hung'), 'same'],
    ['a few passes less than 8 of 8, as chance has it', tally(8, 8), tally(5, 8), 'same'],
    ['half of the passes less', tally(8, 8), tally(4, 8), 'worse'],
    ['a few passes less of many', tally(100, 100), tally(95, 100), 'worse'],
    ['one trial that does not pass', tally(8, 8), tally(0, 1), 'same'],
    ['twice the passes', tally(4, 8), tally(8, 8), 'better'],
  ])('tells from the rate of %s whether it got worse', (_, before, after, rate) => {
    expect(compareOne(before, after)).toMatchObject({
      rate,
      worse: rate === 'worse',
      better: rate === 'better',
    })
  })

  it('takes a kind of violation that is new for worse, whatever the rate', () => {
    expect(compareOne(tally(999, 1000, 'hung'), tally(999, 1000, 'hung', 'lost-write'))).toMatchObject({
      rate: 'same',
      newViolations: ['lost-write'],
      goneViolations: [],
      worse: true,
      better: false,
    })
  })

  it('does not take lost data for worse that was lost before', () => {
    expect(compareOne(tally(7, 8, 'lost-write'), tally(6, 8, 'lost-write')).worse).toBe(false)
  })

  it('can find both better and worse', () => {
    expect(compareOne(tally(7, 8, 'hung'), tally(7, 8, 'crashed'))).toMatchObject({
      newViolations: ['crashed'],
      goneViolations: ['hung'],
      worse: true,
      better: true,
    })
  })

  it('holds what the baseline did not try to a standard of its own', () => {
    expect(compareOne(undefined, tally(8, 8), true)).toMatchObject({ worse: false, better: false })
    expect(compareOne(undefined, tally(1, 8), false)).toMatchObject({ worse: true, better: false })
    expect(compareOne(tally(0, 0), tally(1, 8), false).before).toBeUndefined()
  })

  it('compares nothing that was not tried this time', () => {
    const expected = { before: { passed: 8, counted: 8 }, worse: false, better: false }
    expect(compareOne(tally(8, 8), undefined)).toMatchObject(expected)
    expect(compareOne(tally(8, 8), tally(0, 0))).toMatchObject(expected)
  })

  const tallies = fc
    .tuple(fc.nat(300), fc.nat(300), fc.uniqueArray(fc.constantFrom(...KINDS)))
    .filter(([a, b]) => a + b > 0)
    .map(([passed, other, violations]) => tally(passed, passed + other, ...violations))

  it('finds nothing worse or better in a run than in itself', () => {
    fc.assert(
      fc.property(tallies, (each) => {
        expect(compareOne(each, each)).toMatchObject({ rate: 'same', worse: false, better: false })
      }),
    )
  })

  it('finds better one way what is worse the other way', () => {
    fc.assert(
      fc.property(tallies, tallies, (one, other) => {
        const there = compareOne(one, other)
        const back = compareOne(other, one)
        expect([there.worse, there.better]).toEqual([back.better, back.worse])
        expect(there.newViolations).toEqual(back.goneViolations)
      }),
    )
  })

  it('never finds a rate worse that is not lower', () => {
    fc.assert(
      fc.property(tallies, tallies, (before, after) => {
        if (after.passed / after.counted >= before.passed / before.counted) {
          expect(compareOne(before, after).rate).not.toBe('worse')
        }
      }),
    )
  })

  it('stays worse when even less passes', () => {
    fc.assert(
      fc.property(tallies, tallies, fc.nat(), (before, after, n) => {
        if (compareOne(before, after).rate !== 'worse') return
        expect(compareOne(before, { ...after, passed: n % (after.passed + 1) }).rate).toBe('worse')
      }),
    )
  })
})

describe('a run with a baseline', () => {
  const baseline: Baseline = {
    name: 'old.json',
    target: { name: 'lightning', version: '0.9.0' },
    startedAt: '2026-01-01T00:00:00.000Z',
    scenarios: [
      { name: 'diskfull/sweep', passed: 8, counted: 8, violations: [] },
      { name: 'diskfull/open', passed: 7, counted: 8, violations: ['hung'] },
      { name: 'diskfull/quota', passed: 7, counted: 8, violations: ['lost-write'] },
      { name: 'diskfull/xfs', passed: 8, counted: 8, violations: [] },
    ],
  }
  const lost = trial('failed', { violations: [violation('lost-write', 'key k is gone')] })
  const crashed = trial('failed', { violations: [violation('crashed', 'by SIGBUS')] })
  const asBefore = scenario('diskfull/quota', [...trials(3, 'passed'), lost])
  const better = scenario('diskfull/open', trials(8, 'passed'))
  const worse = scenario('diskfull/sweep', [...trials(4, 'passed'), ...Array(4).fill(crashed)])
  const fresh = scenario('permissions/owner', trials(8, 'passed'))

  function compared(draft: Partial<RunResult>): RunResult {
    return runResult({ gate: { target: 0.95, allowDataLoss: false, baseline }, ...draft })
  }

  it('meets the gate when nothing got worse, however bad it is', () => {
    const gate = judgeGate(compared({ scenarios: [asBefore, better, fresh] }))
    expect(gate).toMatchObject({ met: true, dataLoss: 1, reasons: [] })
    expect(gate.line).toBe('PASS 95.0% (19/20), nothing worse than in the baseline, 1 data-loss violation')
  })

  it('does not meet the gate when something did, however good it is', () => {
    const slip = scenario('diskfull/sweep', [...trials(999, 'passed'), crashed])
    const { met, line, reasons } = judgeGate(compared({ scenarios: [slip, better] }))
    expect({ met, line, reasons }).toEqual({
      met: false,
      line: 'FAIL 99.9% (1007/1008), but 1 scenario worse than in the baseline',
      reasons: ['worse than in the baseline: diskfull/sweep: crashed is new'],
    })
  })

  it.each<[string, Partial<RunResult>, string]>([
    ['nothing', { scenarios: [] }, 'FAIL no trial ran, nothing worse than in the baseline'],
    [
      'only skips',
      { scenarios: [scenario('diskfull/sweep', trials(3, 'skipped'))] },
      'FAIL every trial was skipped, nothing worse than in the baseline',
    ],
    [
      'half of it',
      { scenarios: [better], complete: false },
      'FAIL 100.0% (8/8), but the run is not complete, nothing worse than in the baseline',
    ],
    [
      'a new scenario that loses data',
      { scenarios: [scenario('a/b', [...trials(99, 'passed'), lost])] },
      'FAIL 99.0% (99/100), but 1 scenario worse than in the baseline, 1 data-loss violation',
    ],
    [
      'a new scenario that mostly proves nothing',
      { scenarios: [scenario('a/b', [...trials(1, 'passed'), trial('inconclusive')])] },
      'FAIL 50.0% (1/2), but 1 scenario worse than in the baseline',
    ],
  ])('is not good enough when it ran %s', (_, draft, line) => {
    expect(judgeGate(compared(draft)).line).toBe(line)
  })

  it('does not take for new what is known', () => {
    const known = [{ scenario: 'diskfull/sweep', reason: 'issue 12', expires: '2026-06-30' }]
    const gate = { target: 0.95, allowDataLoss: false, baseline, known }
    expect(judgeGate(compared({ scenarios: [worse], gate })).line).toBe(
      'PASS 100.0% (4/4), nothing worse than in the baseline, 4 known violations',
    )
  })

  it('is told in the table, under the gate', () => {
    const run = compared({ scenarios: [worse, better, asBefore, fresh] })
    const text = renderTable(run, { chalk: new Chalk({ level: 0 }), width: 120 })
    expect(text.slice(text.indexOf('\nFAIL') + 1)).toBe(`\
FAIL 82.1% (23/28), but 1 scenario worse than in the baseline, 1 data-loss violation

compared with old.json (lightning 0.9.0, 2026-01-01):
  worse: diskfull/sweep: crashed is new; 50.0% (4/8), was 100.0% (8/8)
  better: diskfull/open: hung is gone
  as before: 1 scenario
  new, and good enough: permissions/owner
  in the baseline only: diskfull/xfs
`)
    expect(renderMarkdown(run)).toContain(
      '- worse: diskfull/sweep: crashed is new; 50.0% (4/8), was 100.0% (8/8)\n- better: ',
    )
    expect(renderGithub(run)).toContain(
      '1 data-loss violation%0Adiskfull/sweep: crashed is new; 50.0%25 (4/8), was 100.0%25 (8/8)\n',
    )
  })

  it('is in the JSON report', () => {
    const { gate, baseline: found } = jsonReport(compared({ scenarios: [worse, fresh] }))
    expect(gate).toMatchObject({ met: false, passRate: 0.75 })
    expect(found).toMatchObject({ name: 'old.json', target: { name: 'lightning', version: '0.9.0' } })
    expect(found?.scenarios[0]).toEqual({
      scenario: 'diskfull/sweep',
      before: { passed: 8, counted: 8 },
      after: { passed: 4, counted: 8 },
      rate: 'worse',
      newViolations: ['crashed'],
      goneViolations: [],
      worse: true,
      better: false,
    })
  })
})
