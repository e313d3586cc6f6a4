import { describe, expect, test } from 'vitest'
import { judgeRound } from './judge.js'
import type { DrillPlan } from './plan.js'
import type { RoundRecord, Sample } from './record.js'

const works = { what: 'write', tried: 'writing', errno: null }
const full = { ...works, errno: 'ENOSPC' }
const sample = (phase: Sample['phase'], error?: string, at = 1000): Sample => ({
  probe: 0,
  phase,
  at,
  latencyMs: 1,
  ...(error === undefined ? {} : { error }),
})
const expecting = (during: 'pass' | 'fail' | 'any', says?: string) => ({
  expectations: [{ name: 'p', during, ...(says === undefined ? {} : { says }) }],
})

function record(draft: Partial<RoundRecord> = {}): RoundRecord {
  return {
    plan: { fault: 'diskfull' } as DrillPlan,
    round: 0,
    errnos: ['ENOSPC'],
    expectations: [],
    recoverMs: 30_000,
    durationMs: 1,
    injected: '',
    faulted: { from: 0, to: 1 },
    recovering: { from: 1000, to: 31_000 },
    ending: { why: 'the time is up', direct: {}, detail: '', left: [], failed: [] },
    before: [works],
    during: [full],
    after: [works],
    observed: { before: undefined, during: undefined, after: undefined },
    samples: [],
    ...draft,
  }
}

test.each([
  [
    'somebody took it back',
    { ending: { ...record().ending, gone: 'it was thawed already' } },
    /thawed already/,
  ],
  ['it was undone before its time', { aborted: 'told to by a signal' }, /told to by a signal/],
])('what had not its time is inconclusive, and no probe is blamed: %s', (_, draft, why) => {
  const samples = [sample('during'), sample('after')]
  const { verdict, reason } = judgeRound(record({ ...draft, ...expecting('fail'), samples }))
  expect(verdict).toBe('inconclusive')
  expect(reason).toMatch(why)
})

describe('evidence', () => {
  test('a write that worked, was refused, and works again', () => {
    expect(judgeRound(record())).toMatchObject({
      verdict: 'passed',
      judgement: { evidence: { ENOSPC: { direct: 0, probe: 1 } } },
    })
  })

  test.each([
    ['nothing was refused', { during: [works] }, /writing worked/],
    ['something else was refused', { during: [{ ...works, errno: 'EIO' }] }, /nothing showed it/],
    ['it was refused before already', { before: [full], after: [full] }, /before the fault already/],
    ['nobody looked', { before: [], during: [], after: [] }, /nothing showed it/],
  ])('none where %s: inconclusive', (_, draft, why) => {
    const { verdict, reason } = judgeRound(record(draft))
    expect(verdict).toBe('inconclusive')
    expect(reason).toMatch(why)
  })

  test("the service's own calls count beside, not instead: they may have failed for a reason of their own", () => {
    const ending = { ...record().ending, direct: { ENOSPC: 7 } }
    expect(judgeRound(record({ ending })).judgement.evidence).toEqual({ ENOSPC: { direct: 7, probe: 1 } })
    expect(judgeRound(record({ ending, during: [works] })).verdict).toBe('inconclusive')
  })

  test('what the kernel shows of a process', () => {
    const stopped = { sign: 'SIGSTOP', detail: 'stopped' }
    const none = { before: [], during: [], after: [] }
    const seen = (before: typeof stopped | undefined, after: typeof stopped | undefined) =>
      judgeRound(record({ ...none, observed: { before, during: stopped, after } })).verdict
    expect(seen(undefined, undefined)).toBe('passed')
    expect(seen(stopped, stopped)).toBe('inconclusive')
    expect(seen(undefined, stopped)).toBe('error')
  })

  test('what worked before and does not after it: not undone, as far as anybody can tell', () => {
    const { verdict, reason } = judgeRound(record({ after: [full] }))
    expect(verdict).toBe('error')
    expect(reason).toMatch(/writing failed with ENOSPC/)
  })

  test('a file that the service itself closed, or has as a program, says nothing of the fault', () => {
    const file = { what: 'opening seg for writing', tried: 'opening seg for writing', errno: null }
    const after = (errno: string) =>
      judgeRound(record({ before: [works, file], after: [works, { ...file, errno }] })).verdict
    expect(['EACCES', 'ETXTBSY', 'ENOSPC'].map(after)).toEqual(['passed', 'passed', 'error'])
    const unwritable = { ...works, errno: 'ENOENT' }
    expect(judgeRound(record({ after: [unwritable] })).verdict).toBe('error')
  })

  test('a watchdog that was killed is an error of the tool', () => {
    const ending = { ...record().ending, why: 'the watchdog was killed', without: true as const }
    expect(judgeRound(record({ ending })).verdict).toBe('error')
  })

  test('a drill that ended early is inconclusive', () => {
    expect(judgeRound(record({ aborted: 'the load is high' })).reason).toBe('ended early: the load is high')
  })
})

describe('expectations', () => {
  const well = sample('after')
  test.each([
    ['any', undefined, [sample('during', 'x'), well], []],
    ['pass', undefined, [sample('during'), well], []],
    ['pass', undefined, [sample('during'), sample('during', 'x'), well], ['unmet-expectation']],
    ['fail', undefined, [sample('during'), sample('during', 'x'), well], []],
    ['fail', undefined, [sample('during'), well], ['unmet-expectation']],
    ['fail', 'disk full', [sample('during', 'error: disk full!'), well], []],
    ['fail', 'disk full', [sample('during', 'corrupt'), well], ['unmet-expectation']],
    ['any', undefined, [sample('after', 'x'), sample('after', 'x')], ['no-recovery']],
    ['any', undefined, [sample('after', 'x'), well], []],
    ['any', undefined, [], ['no-recovery']],
  ] as const)('%s, saying %s', (during, says, samples, kinds) => {
    const { verdict, judgement } = judgeRound(record({ ...expecting(during, says), samples }))
    expect(judgement.violations.map(({ kind }) => kind)).toEqual(kinds)
    expect(verdict).toBe(kinds.length === 0 ? 'passed' : 'failed')
  })

  test.each(['pass', 'fail'] as const)(
    '%s, without an answer while the fault was on: inconclusive',
    (what) => {
      const { verdict, reason } = judgeRound(
        record({ ...expecting(what), samples: [sample('edge', 'x'), well] }),
      )
      expect(verdict).toBe('inconclusive')
      expect(reason).toMatch(`gave no answer while the fault was on, and has to ${what}`)
    },
  )

  test('what passes for good counts from when it does so, and has to be in time', () => {
    const late = sample('after', undefined, 31_500)
    const kinds = (samples: Sample[]) =>
      judgeRound(record({ ...expecting('any'), samples })).judgement.violations.map(({ summary }) => summary)
    expect(kinds([sample('after', 'x'), late])).toEqual([
      "'p' passed only 30.501 s after the fault was undone, and has 30 s",
    ])
    // another probe did not, so that it was asked on
    expect(kinds([well, late])).toEqual([])
  })

  test('nothing is held against a service that was not given the time: the user ended it', () => {
    const samples = [sample('during'), sample('after', 'x')]
    const early = { aborted: 'stopped by the user', recovering: { from: 1000, to: 1001 }, samples }
    const { verdict, judgement } = judgeRound(record({ ...expecting('fail'), ...early }))
    expect([verdict, judgement.violations]).toEqual(['inconclusive', []])
  })

  test('are told in words', () => {
    const { judgement } = judgeRound(
      record({ ...expecting('pass'), samples: [sample('during', 'no'), well] }),
    )
    expect(judgement.violations[0]?.summary).toBe(
      "while the fault was on, 'p' failed 1 of 1 time (no), and has to pass",
    )
  })
})
