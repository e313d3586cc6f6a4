import { Chalk } from 'chalk'
import { describe, expect, it } from 'vitest'
import { runResult, scenario, trial, trials, violation } from '../testing/results.js'
import { judgeGate } from './gate.js'
import { renderGithub } from './github.js'
import { jsonReport } from './json.js'
import { renderJunit } from './junit.js'
import { type KnownFailure, settleKnown } from './known.js'
import { renderMarkdown } from './markdown.js'
import { renderTable } from './table.js'

const crashed = violation('crashed', 'by SIGBUS')
const lost = violation('lost-write', 'key k is gone')
const scenarios = [
  scenario('diskfull/sweep', [
    ...trials(3, 'passed'),
    trial('failed', { violations: [crashed] }),
    trial('failed', { violations: [crashed, lost] }),
  ]),
  scenario('diskfull/xfs', trials(2, 'skipped')),
  scenario('permissions/owner', trials(2, 'passed')),
]

function failure(draft: Partial<KnownFailure>): KnownFailure {
  return { scenario: 'diskfull/sweep', reason: 'issue 12', expires: '2026-06-30', ...draft }
}

function settle(draft: Partial<KnownFailure>, today = '2026-06-01') {
  return settleKnown(scenarios, [failure(draft)], today)
}

describe('settleKnown', () => {
  it.each<[string, Partial<KnownFailure>, number]>([
    ['its name', {}, 3],
    ['its name and a kind', { violation: 'crashed' }, 2],
    ['its family', { scenario: 'diskfull', violation: 'lost-write' }, 1],
    ['a pattern', { scenario: '*/sw*p' }, 3],
    ['everything', { scenario: '*' }, 3],
  ])('finds the violations of a scenario by %s', (_, draft, times) => {
    expect(settle(draft).outcomes).toEqual([{ ...failure(draft), state: 'known', times }])
  })

  it('lasts to the end of its day', () => {
    expect(settle({}, '2026-06-30').outcomes[0]?.state).toBe('known')
    expect(settle({}, '2026-07-01').outcomes[0]?.state).toBe('expired')
    expect(settle({}, '2026-07-01').excuse('diskfull/sweep', crashed)).toBeUndefined()
  })

  it('is not needed any more where nothing of its kind happens', () => {
    expect(settle({ violation: 'hung' }).outcomes[0]?.state).toBe('unneeded')
    expect(settle({ scenario: 'permissions' }).outcomes[0]?.state).toBe('unneeded')
  })

  it('says nothing of what was not tried', () => {
    expect(settle({ scenario: 'diskfull/xfs' }).outcomes).toEqual([])
    expect(settle({ scenario: 'diskfull/nosuch' }, '2027-01-01').outcomes).toEqual([])
  })

  it('excuses a trial only if it excuses all that it did', () => {
    const excused = (draft: Partial<KnownFailure>) =>
      scenarios[0]!.trials.map((each) => settle(draft).excuses(each))
    expect(excused({ violation: 'crashed' })).toEqual([false, false, false, true, false])
    expect(excused({})).toEqual([false, false, false, true, true])
    expect(excused({ scenario: 'permissions' })).toEqual([false, false, false, false, false])
  })
})

describe('a gate with known failures', () => {
  function judge(...known: KnownFailure[]) {
    return judgeGate(runResult({ scenarios, gate: { target: 0.95, allowDataLoss: false, known } }))
  }

  it('does not count them', () => {
    expect(judge(failure({}))).toMatchObject({
      met: true,
      passRate: 1,
      dataLoss: 0,
      line: 'PASS 100.0% (5/5) >= 95%, 3 known violations',
    })
  })

  it('counts all that is not known', () => {
    expect(judge(failure({ violation: 'crashed' })).line).toBe(
      'FAIL 83.3% (5/6) < 95%, 1 data-loss violation, 2 known violations',
    )
  })

  it('is not met with one that has expired, and says so', () => {
    const { met, line, reasons } = judge(
      failure({}),
      failure({ scenario: 'permissions', expires: '2026-01-01' }),
    )
    expect({ met, line, reasons }).toEqual({
      met: false,
      line: 'FAIL 100.0% (5/5) >= 95%, but 1 known failure expired, 3 known violations',
      reasons: [
        'known until 2026-01-01, which is over, and no longer needed: any violation in permissions (issue 12)',
      ],
    })
  })

  it('is met where every trial failed in a known way', () => {
    const run = runResult({
      scenarios: [scenario('diskfull/sweep', [trial('failed', { violations: [crashed] })])],
      gate: { target: 0.95, allowDataLoss: false, known: [failure({})] },
    })
    expect(judgeGate(run).line).toBe('PASS 1 known violation')
  })
})

describe('reports of known failures', () => {
  const run = runResult({
    scenarios,
    gate: {
      target: 0.95,
      allowDataLoss: false,
      known: [
        failure({ violation: 'crashed' }),
        failure({ violation: 'hung', reason: 'issue 13' }),
        failure({ scenario: 'permissions', expires: '2026-01-01' }),
      ],
    },
  })
  const sentences = [
    'known until 2026-06-30: crashed in diskfull/sweep, 2 times (issue 12)',
    'no longer needed as known: hung in diskfull/sweep (issue 13)',
    'known until 2026-01-01, which is over, and no longer needed: any violation in permissions (issue 12)',
  ]

  it('say which is which', () => {
    const table = renderTable(run, { chalk: new Chalk({ level: 0 }), width: 120 })
    expect(table).toContain(`${sentences.join('\n')}\n\nFAIL`)
    expect(table).toContain('  crashed (grace, known, 2 times in 2 trials): by SIGBUS')
    expect(table).toContain('  lost-write (data-loss): key k is gone')
    expect(renderMarkdown(run)).toContain(`- ${sentences[0]}\n`)
    expect(renderMarkdown(run)).toContain('**crashed** (grace, known, 2 times')
    const github = renderGithub(run)
    expect(github).toContain(
      '::notice title=crashed (grace) in diskfull/sweep::by SIGBUS, 2 times in 2 trials, known until 2026-06-30: issue 12%0A',
    )
    expect(github).toContain('::error title=lost-write')
  })

  it('count what is excused as skipped in JUnit', () => {
    const junit = renderJunit(run)
    expect(junit).toContain('<skipped message="known until 2026-06-30: issue 12"/>')
    expect(junit).toMatch(/name="diskfull\/sweep" tests="5" failures="1" errors="0" skipped="1"/)
  })

  it('have it in JSON', () => {
    const { known, scenarios: found } = jsonReport(run)
    expect(known?.map(({ state, times }) => [state, times])).toEqual([
      ['known', 2],
      ['unneeded', 0],
      ['expired', 0],
    ])
    expect(found[0]).toMatchObject({ failed: 2, known: 1 })
    expect(found[0]?.violations.map(({ kind, known: why }) => [kind, why])).toEqual([
      ['crashed', 'issue 12'],
      ['crashed', 'issue 12'],
      ['lost-write', undefined],
    ])
  })
})
