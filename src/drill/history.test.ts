import { expect, test } from 'vitest'
import { timelineOf } from '../history/timeline.js'
import { historyOf } from './history.js'
import type { DrillPlan } from './plan.js'
import type { RoundRecord } from './record.js'

const answer = (at: number, phase: 'before' | 'during' | 'after', error?: string) => ({
  ...{ probe: 0, phase, at, latencyMs: 20 },
  ...(error === undefined ? {} : { error }),
})
const record: RoundRecord = {
  plan: { fault: 'permissions' } as DrillPlan,
  round: 0,
  errnos: ['EACCES'],
  expectations: [{ name: './check.sh', during: 'any' }],
  recoverMs: 30_000,
  durationMs: 1000,
  injected: 'write bits gone',
  recovering: { from: 0, to: 0 },
  faulted: { from: 300, to: 700 },
  ending: { why: 'the time is up', direct: {}, detail: 'modes put back', left: [], failed: [] },
  before: [],
  during: [],
  after: [],
  observed: { before: undefined, during: undefined, after: undefined },
  samples: [
    answer(100, 'before'),
    answer(400, 'during', 'no'),
    answer(500, 'during', 'no'),
    answer(900, 'after'),
  ],
}

test('a round has a picture as a trial has: the fault, what proves it, and the answers of the probes', () => {
  const { durationMs, spans, marks, acked, refused, slowestLatency } = timelineOf(
    historyOf(record, { EACCES: { direct: 0, probe: 2 } }),
  )
  expect(durationMs).toBe(1000)
  expect(spans).toEqual([{ kind: 'read-only', name: 'permissions', from: 300, to: 700 }])
  expect(marks).toEqual([{ at: 300, kind: 'probe', about: 'EACCES', count: 2 }])
  const bins = (series: readonly number[]) => series.flatMap((count, bin) => (count > 0 ? [bin] : []))
  expect(bins(acked)).toEqual([12, 92])
  expect(bins(refused)).toEqual([42, 52])
  expect(slowestLatency[42]).toBe(200)
})
