import { Chalk } from 'chalk'
import { describe, expect, it } from 'vitest'
import { runResult, scenario, trial, trials, violation } from '../testing/results.js'
import { renderDots } from './dot.js'
import { isFlaky, mergeRuns } from './flaky.js'
import { judgeGate } from './gate.js'
import { renderGithub } from './github.js'
import { jsonReport } from './json.js'
import { renderJunit } from './junit.js'
import { renderMarkdown } from './markdown.js'
import { pageOf } from './page-data.js'
import type { TrialResult } from './result.js'
import { renderTable } from './table.js'

const plain = { chalk: new Chalk({ level: 0 }), width: 120 }
const passed = trial('passed')
const crashed = trial('failed', { violations: [violation('crashed', 'by SIGBUS')], reason: 'it crashed' })
const lost = trial('failed', { violations: [violation('lost-write', 'key k is gone')], durationMs: 250 })
const inconclusive = trial('inconclusive', { reason: 'no evidence' })
const error = trial('error', { reason: 'it died' })

/** Of nineteen trials that passed, and one of these runs. */
function run(...runs: [TrialResult, ...TrialResult[]]) {
  const all = [...trials(19, 'passed', { seed: 'a' }), { ...mergeRuns(runs), index: 19 }]
  return runResult({ repeatEach: 3, scenarios: [scenario('diskfull/sweep', all)] })
}

describe('a trial that was run several times', () => {
  it.each<[string, [TrialResult, ...TrialResult[]], TrialResult]>([
    ['a failure before a pass', [passed, crashed, passed], crashed],
    ['data loss before an error of the tool', [error, lost], lost],
    ['an error of the tool before a failure', [crashed, error], error],
    ['a failure before what proves nothing', [inconclusive, crashed], crashed],
    ['what proves nothing before a pass', [passed, inconclusive], inconclusive],
    ['the first of two that are as bad', [crashed, { ...crashed, reason: 'again' }], crashed],
  ])('counts as its worst run: %s', (_, runs, worst) => {
    const { verdict, reason, judgement } = mergeRuns(runs)
    expect({ verdict, reason, judgement }).toEqual({
      verdict: worst.verdict,
      reason: worst.reason,
      judgement: worst.judgement,
    })
  })

  it.each<[string, [TrialResult, ...TrialResult[]], boolean]>([
    ['passed and failed', [passed, crashed], true],
    ['failed in different ways', [crashed, lost], true],
    ['was inconclusive once', [inconclusive, passed], true],
    ['always passed', [passed, passed], false],
    ['always failed in the same way', [crashed, { ...crashed, durationMs: 7 }], false],
  ])('is flaky or not where it %s', (_, runs, expected) => {
    expect(isFlaky(mergeRuns(runs))).toBe(expected)
  })

  it('is nothing of the kind where it was run once', () => {
    expect(isFlaky(crashed)).toBe(false)
  })
})

describe('a gate', () => {
  it('is not met more easily by repeating, and says what is flaky', () => {
    expect(judgeGate(run(passed, crashed, passed)).line).toBe('PASS 95.0% (19/20) >= 95%, 1 flaky trial')
    expect(judgeGate(run(passed, passed, passed)).line).toBe('PASS 100.0% (20/20) >= 95%')
  })

  it('knows of data loss in any of the runs', () => {
    const { met, dataLoss } = judgeGate(run(passed, crashed, lost))
    expect({ met, dataLoss }).toEqual({ met: false, dataLoss: 1 })
  })

  it('lets a known failure excuse no other one of the same trial', () => {
    const known = (
      violations: readonly ('crashed' | 'lost-write')[],
      ...runs: [TrialResult, ...TrialResult[]]
    ) => {
      const list = violations.map((kind) => ({
        scenario: '*',
        violation: kind,
        reason: 'issue 12',
        expires: '2999-12-31',
      }))
      return judgeGate({ ...run(...runs), gate: { target: 0.96, allowDataLoss: false, known: list } }).line
    }
    expect(known(['lost-write'], lost, crashed)).toContain('FAIL 95.0% (19/20)')
    expect(known(['lost-write'], lost, inconclusive)).toContain('FAIL 95.0% (19/20)')
    expect(known(['lost-write', 'crashed'], lost, crashed, passed)).toBe(
      'PASS 100.0% (19/19) >= 96%, 2 known violations, 1 flaky trial',
    )
  })
})

describe('every report says what is flaky', () => {
  const flaky = run(passed, crashed, lost)
  const words = 'passed, failed (crashed), failed (lost-write)'
  const sentence = `diskfull/sweep 0123456789ab.19 is flaky: ${words}, all with the same seed`

  it('table', () => {
    const table = renderTable(flaky, plain)
    expect(table).toContain(`\n${sentence}\n  npx lightning-chaos replay 0123456789ab\n`)
    expect(table).toContain('seed seed, each trial 3 times, 12.3 s')
    expect(table).toContain('  crashed (grace): by SIGBUS')
  })

  it('markdown', () => {
    expect(renderMarkdown(flaky)).toContain(`- ${sentence}\n  \`\`\`sh\n`)
  })

  it('github', () => {
    expect(renderGithub(flaky)).toContain(`::warning title=flaky trial of diskfull/sweep::${sentence}%0Anpx`)
  })

  it('junit', () => {
    const junit = renderJunit(flaky)
    expect(junit).toContain(`<property name="flaky" value="${words}"/>`)
    expect(junit).toContain(`flaky: ${words}, all with the same seed`)
  })

  it('dot', () => {
    expect(renderDots(flaky, plain)).toMatch(/^diskfull\/sweep {2}\.{19}~\n\n\. passed {2}~ flaky\n/)
  })

  it('html', () => {
    expect(pageOf(flaky).notes).toContain(sentence)
  })

  it('json, which says so as well where nothing is', () => {
    expect(jsonReport(flaky)).toMatchObject({
      repeatEach: 3,
      flaky: [
        {
          scenario: 'diskfull/sweep',
          trial: '0123456789ab',
          runs: [
            { verdict: 'passed', violations: [] },
            { verdict: 'failed', violations: ['crashed'] },
            { verdict: 'failed', violations: ['lost-write'] },
          ],
        },
      ],
      scenarios: [{ trials: 20, passed: 19, failed: 1 }],
    })
    expect(jsonReport(run(passed, passed)).flaky).toEqual([])
    expect(jsonReport(runResult())).not.toHaveProperty('flaky')
  })
})
