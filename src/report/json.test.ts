import { describe, expect, it } from 'vitest'
import { runResult, scenario, trial, trials, violation } from '../testing/results.js'
import { jsonReport } from './json.js'

describe('jsonReport', () => {
  it('has the form that other programs rely on', () => {
    const report = jsonReport(
      runResult({
        target: {
          name: 'sqlite',
          version: '3.46.0',
          waived: { 'opens-when-full': 'its documentation says so' },
        },
        scenarios: [
          scenario('diskfull/sweep', [
            ...trials(2, 'passed'),
            trial('failed', {
              seed: 'aaa',
              replay: 'npx lightning-chaos replay aaa',
              kept: '/tmp/kept',
              violations: [
                violation('lost-write', 'key k07: put #412 was acked'),
                violation('crashed', 'it crashed'),
              ],
              waived: [{ promise: 'opens-when-full', summary: 'open failed' }],
            }),
          ]),
          scenario('diskfull/ext4', trials(2, 'skipped', { reason: 'needs root' }), 'ext4'),
        ],
      }),
    )
    expect(report).toEqual({
      schema: 1,
      tool: { name: 'lightning-chaos', version: '0.1.0' },
      target: {
        name: 'sqlite',
        version: '3.46.0',
        contract: { waived: { 'opens-when-full': 'its documentation says so' } },
      },
      isolation: 'root',
      seed: 'seed',
      startedAt: '2026-01-02T03:04:05.678Z',
      durationMs: 12_345,
      complete: true,
      gate: {
        target: 0.95,
        passRate: 2 / 3,
        dataLoss: 1,
        met: false,
        allowDataLoss: false,
        reasons: ['the pass rate is 66.6% (2/3) < 95%', '1 data-loss violation'],
      },
      scenarios: [
        {
          name: 'diskfull/sweep',
          title: 'Title of diskfull/sweep',
          volume: 'tmpfs',
          trials: 3,
          passed: 2,
          failed: 1,
          inconclusive: 0,
          skipped: 0,
          errors: 0,
          passRate: 2 / 3,
          evidence: { ENOSPC: { direct: 9, probe: 3 } },
          violations: [
            {
              kind: 'lost-write',
              severity: 'data-loss',
              summary: 'key k07: put #412 was acked',
              trial: 'aaa',
              replay: 'npx lightning-chaos replay aaa',
              kept: '/tmp/kept',
            },
            {
              kind: 'crashed',
              severity: 'grace',
              summary: 'it crashed',
              trial: 'aaa',
              replay: 'npx lightning-chaos replay aaa',
              kept: '/tmp/kept',
            },
          ],
          waived: [{ promise: 'opens-when-full', summary: 'open failed', times: 1 }],
          reasons: [],
        },
        {
          name: 'diskfull/ext4',
          title: 'Title of diskfull/ext4',
          volume: 'ext4',
          trials: 2,
          passed: 0,
          failed: 0,
          inconclusive: 0,
          skipped: 2,
          errors: 0,
          passRate: 0,
          evidence: {},
          violations: [],
          waived: [],
          reasons: [
            {
              verdict: 'skipped',
              reason: 'needs root',
              trials: 2,
              trial: '0123456789ab',
              replay: 'npx lightning-chaos replay 0123456789ab',
            },
          ],
        },
      ],
    })
  })

  it('tells the bound where one counts', () => {
    const { gate } = jsonReport(runResult({ gate: { target: 0.5, allowDataLoss: true, confidence: 0.9 } }))
    expect(gate).toMatchObject({ met: true, allowDataLoss: true, confidence: { level: 0.9 }, reasons: [] })
    expect(gate.confidence?.lowerBound).toBeCloseTo(0.83, 2)
  })

  it('survives JSON unchanged', () => {
    const report = jsonReport(runResult())
    expect(JSON.parse(JSON.stringify(report))).toEqual(report)
  })
})
