/**
 * A timeline as it is kept and sent: short arrays of numbers and words in JSON. In series a negative number stands for
 * that many zeros, and times are the milliseconds since the one before.
 */
import type { Mark, MarkKind, Span, Timeline } from './timeline.js'
import { BINS } from './timeline.js'

export type PackedTimeline = readonly [
  durationMs: number,
  acked: readonly number[],
  read: readonly number[],
  refused: readonly number[],
  unknown: readonly number[],
  medianLatency: readonly number[],
  slowestLatency: readonly number[],
  /** Of each span: kind, name, time since the last span began, length. */
  spans: readonly (string | number)[],
  /** Of each mark: kind, time since the last mark, what it is about, count. */
  marks: readonly (string | number)[],
  /** Of each sample: time since the last one, KiB free, inodes free. */
  space: readonly number[],
]

const SPAN_FIELDS = 4
const MARK_FIELDS = 4
const SAMPLE_FIELDS = 3

export function packTimeline(timeline: Timeline): PackedTimeline {
  const { durationMs, acked, read, refused, unknown, medianLatency, slowestLatency } = timeline
  const { spans, marks, space } = timeline
  return [
    durationMs,
    shortened(acked),
    shortened(read),
    shortened(refused),
    shortened(unknown),
    shortened(medianLatency),
    shortened(slowestLatency),
    spans.flatMap(({ kind, name, from, to }, n) => [kind, name, from - (spans[n - 1]?.from ?? 0), to - from]),
    marks.flatMap(({ kind, at, about, count }, n) => [
      kind,
      at - (marks[n - 1]?.at ?? 0),
      about ?? '',
      count ?? 0,
    ]),
    space.flatMap(({ at, freeKib, freeInodes }, n) => [at - (space[n - 1]?.at ?? 0), freeKib, freeInodes]),
  ]
}

export function unpackTimeline(packed: PackedTimeline): Timeline {
  const [durationMs, acked, read, refused, unknown, medianLatency, slowestLatency, ...rows] = packed
  const [spans, marks, space] = rows
  return {
    durationMs,
    acked: lengthened(acked),
    read: lengthened(read),
    refused: lengthened(refused),
    unknown: lengthened(unknown),
    medianLatency: lengthened(medianLatency),
    slowestLatency: lengthened(slowestLatency),
    spans: spansFrom(spans),
    marks: marksFrom(marks),
    space: samplesFrom(space),
  }
}

function shortened(series: readonly number[]): number[] {
  const short: number[] = []
  for (const value of series) {
    const last = short.at(-1)
    if (value !== 0) short.push(value)
    else if (last !== undefined && last < 0) short[short.length - 1] = last - 1
    else short.push(-1)
  }
  if (short.at(-1)! < 0) short.pop()
  return short
}

function lengthened(short: readonly number[]): number[] {
  const series = short.flatMap((value) => (value < 0 ? new Array<number>(-value).fill(0) : [value]))
  return [...series, ...new Array<number>(BINS - series.length).fill(0)]
}

function spansFrom(packed: readonly (string | number)[]): Span[] {
  let from = 0
  return rowsOf(packed, SPAN_FIELDS).map(([kind, name, since, length]) => {
    from += Number(since)
    return { kind: kind as Span['kind'], name: String(name), from, to: from + Number(length) }
  })
}

function marksFrom(packed: readonly (string | number)[]): Mark[] {
  let at = 0
  return rowsOf(packed, MARK_FIELDS).map(([kind, since, about, count]) => {
    at += Number(since)
    return {
      at,
      kind: kind as MarkKind,
      ...(about === '' ? {} : { about: String(about) }),
      ...(count === 0 ? {} : { count: Number(count) }),
    }
  })
}

function samplesFrom(packed: readonly number[]): Timeline['space'] {
  let at = 0
  return rowsOf(packed, SAMPLE_FIELDS).map(([since, freeKib, freeInodes]) => {
    at += since!
    return { at, freeKib: freeKib!, freeInodes: freeInodes! }
  })
}

function rowsOf<T>(flat: readonly T[], fields: number): T[][] {
  return Array.from({ length: flat.length / fields }, (_, row) =>
    flat.slice(row * fields, (row + 1) * fields),
  )
}
