import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Event } from './events.js'
import { packTimeline, unpackTimeline } from './packed-timeline.js'
import { BINS, type MarkKind, type Timeline, timelineOf } from './timeline.js'

const put = (id: number, time: number): Event => {
  return { type: 'invoke', time, id, client: 0, op: { f: 'put', key: 'k', seq: id, size: 9 } }
}
const full = { code: 'ENOSPC', kind: 'disk-full', recoverable: true, message: 'no room' } as const
const fault = (action: 'inject' | 'heal', time: number, name = 'ballast'): Event => ({
  type: 'fault',
  time,
  action,
  fault: name,
  family: 'full',
  refusals: ['disk-full'],
  errnos: ['ENOSPC'],
  detail: '',
})
const process = (time: number, action: 'start' | 'kill'): Event => {
  return { type: 'process', time, action, detail: '' }
}
/** Makes a history 1000 ms long, so that a bin is 10 ms. */
const end: Event = process(1000, 'kill')

/** What is not 0 in a series, by bin. */
function filled(series: readonly number[]): Record<number, number> {
  expect(series).toHaveLength(BINS)
  return Object.fromEntries([...series.entries()].filter(([, value]) => value !== 0))
}

describe('operations', () => {
  const timeline = timelineOf([
    put(1, 1),
    put(2, 1),
    { type: 'invoke', time: 2, id: 3, client: 0, op: { f: 'get', key: 'k' } },
    { type: 'ok', time: 3.4, id: 1 },
    { type: 'ok', time: 12, id: 3, value: null },
    { type: 'fail', time: 19.9, id: 2, error: full },
    put(4, 20),
    { type: 'info', time: 999, id: 4, error: { kind: 'exit', message: 'gone' } },
    put(5, 1000),
    { type: 'ok', time: 1000, id: 5 },
  ])

  it('are counted when they are answered, by what came of them', () => {
    expect(filled(timeline.acked)).toEqual({ 0: 1, 99: 1 })
    expect(filled(timeline.read)).toEqual({ 1: 1 })
    expect(filled(timeline.refused)).toEqual({ 1: 1 })
    expect(filled(timeline.unknown)).toEqual({ 99: 1 })
  })

  it('took some time, in tenths of a millisecond and two digits', () => {
    expect(filled(timeline.medianLatency)).toEqual({ 0: 24, 1: 190, 99: 1 })
    expect(filled(timeline.slowestLatency)).toEqual({ 0: 24, 1: 190, 99: 1 })
  })
})

describe('spans', () => {
  it('last from an injection to its heal, and from the begin of a read-back to its end', () => {
    expect(
      timelineOf([
        fault('inject', 100.4),
        fault('inject', 110, 'inodes'),
        { type: 'verify', time: 120, action: 'begin' },
        { type: 'verify', time: 130, action: 'end' },
        fault('heal', 200),
        fault('heal', 210, 'inodes'),
        end,
      ]).spans,
    ).toEqual([
      { kind: 'full', name: 'ballast', from: 100, to: 200 },
      { kind: 'full', name: 'inodes', from: 110, to: 210 },
      { kind: 'verify', name: '', from: 120, to: 130 },
    ])
  })

  it('end with the trial, a read-back also with the process', () => {
    const history = [fault('inject', 100), { type: 'verify', time: 120, action: 'begin' } as const]
    expect(timelineOf([...history, process(130, 'kill'), end]).spans).toEqual([
      { kind: 'full', name: 'ballast', from: 100, to: 1000 },
      { kind: 'verify', name: '', from: 120, to: 130 },
    ])
  })
})

describe('marks', () => {
  it('are evidence, the life of the target, how writes came back, and what proves a violation', () => {
    const history: Event[] = [
      process(10, 'start'),
      { type: 'open', time: 11, ok: true, mode: 'read-write' },
      { type: 'evidence', time: 20.6, grade: 'direct', errno: 'ENOSPC', count: 3, detail: '' },
      { type: 'evidence', time: 21, grade: 'probe', errno: 'ENOSPC', count: 0, detail: '' },
      { type: 'open', time: 30, ok: false, error: full },
      { type: 'open', time: 31, ok: true, mode: 'read-only' },
      { type: 'resume', time: 40, how: 'reopen', detail: '' },
      end,
    ]
    expect(timelineOf(history, [4, 2]).marks).toEqual([
      { at: 10, kind: 'start' },
      { at: 21, kind: 'direct', about: 'ENOSPC', count: 3 },
      { at: 21, kind: 'violation', count: 2 },
      { at: 30, kind: 'open-failed', about: 'disk-full' },
      { at: 30, kind: 'violation', count: 1 },
      { at: 31, kind: 'read-only' },
      { at: 40, kind: 'resume', about: 'reopen' },
      { at: 1000, kind: 'kill' },
    ])
  })
})

describe('free room', () => {
  const sample = (time: number, freeBytes: number): Event => {
    return { type: 'space', time, freeBytes, freeInodes: 7 }
  }

  it('is rounded down, so that only what is full looks full', () => {
    expect(timelineOf([sample(0, 4096), sample(500, 1023), end]).space).toEqual([
      { at: 0, freeKib: 4, freeInodes: 7 },
      { at: 500, freeKib: 0, freeInodes: 7 },
    ])
  })

  it('is no more than a picture can show, and the last of many samples is there', () => {
    const many = Array.from({ length: 1000 }, (_, n) => sample(n, n * 1024))
    const { space } = timelineOf([...many, end])
    expect(space.length).toBeLessThan(250)
    expect(space.length).toBeGreaterThan(90)
    expect(space.at(-1)).toMatchObject({ at: 999, freeKib: 999 })
    expect(space[0]).toMatchObject({ at: 0 })
  })
})

it('a history of nothing has a timeline, too', () => {
  expect(timelineOf([])).toMatchObject({ durationMs: 0, spans: [], marks: [], space: [] })
})

describe('a packed timeline', () => {
  const small = fc.nat(1_000_000)
  const series = fc.array(fc.oneof(fc.constant(0), small), { minLength: BINS, maxLength: BINS })
  const inOrder = <T extends { at: number }>(row: fc.Arbitrary<T>) =>
    fc.array(row).map((rows) => rows.sort((a, b) => a.at - b.at))
  const kinds: readonly MarkKind[] = ['direct', 'probe', 'start', 'violation']
  const mark = fc.record(
    {
      at: small,
      kind: fc.constantFrom(...kinds),
      about: fc.string({ minLength: 1 }),
      count: fc.integer({ min: 1 }),
    },
    { requiredKeys: ['at', 'kind'] },
  )
  const span = fc
    .record({ kind: fc.constantFrom('full', 'verify'), name: fc.string(), at: small, length: small })
    .map(({ kind, name, at, length }) => ({ kind, name, from: at, to: at + length }))
  const timeline = fc.record({
    durationMs: small,
    acked: series,
    read: series,
    refused: series,
    unknown: series,
    medianLatency: series,
    slowestLatency: series,
    spans: fc.array(span),
    marks: inOrder(mark),
    space: inOrder(fc.record({ at: small, freeKib: small, freeInodes: small })),
  })

  it('is the same when it is unpacked, also after a trip through JSON', () => {
    fc.assert(
      fc.property(timeline, (original) => {
        const packed = packTimeline(original as Timeline)
        expect(unpackTimeline(JSON.parse(JSON.stringify(packed)))).toEqual(original)
      }),
    )
  })

  it('needs little where little happened', () => {
    expect(JSON.stringify(packTimeline(timelineOf([end])))).toBe(
      '[1000,[],[],[],[],[],[],[],["kill",1000,"",0],[]]',
    )
  })
})
