/** The charts of a trial, one above the other on the same time axis. */
import uPlot from 'uplot'
import { BINS, type MarkKind, type Timeline } from '../history/timeline.js'
import type { Colours } from './colours.js'

export interface Chart {
  readonly name: 'operations' | 'latency' | 'marks' | 'room'
  readonly data: uPlot.AlignedData
  readonly options: Omit<uPlot.Options, 'width'>
}

/** Pixels between the left edge and the plots, so that all begin at the same place. */
const LEFT = 78
const RIGHT = 12
const TIME_AXIS = 42
/** What is as fast as a history can tell, in milliseconds. */
const LEAST_LATENCY = 0.1
const POWERS = [0.1, 1, 10, 100, 1000, 10_000, 100_000]

/** The lanes of marks, from the bottom up. */
const LANES = ['acks', 'refusals', 'evidence', 'target', 'violations'] as const
type Lane = (typeof LANES)[number]

const LANE_OF = {
  direct: 'evidence',
  probe: 'evidence',
  start: 'target',
  kill: 'target',
  stop: 'target',
  crash: 'target',
  hang: 'target',
  garbage: 'target',
  'open-failed': 'target',
  'read-only': 'target',
  resume: 'target',
  violation: 'violations',
} as const satisfies Record<MarkKind, Lane>

export function chartsOf(timeline: Timeline, colours: Colours): Chart[] {
  const width = Math.max(1, timeline.durationMs) / BINS
  const begins = [...Array.from({ length: BINS }, (_, bin) => bin * width), timeline.durationMs]
  const perSecond = (series: readonly number[]) => {
    const rates = series.map((count) => count / (width / 1000))
    return [...rates, rates.at(-1)!]
  }
  const milliseconds = (series: readonly number[]) =>
    series.map((tenths) => (tenths === 0 ? null : tenths / 10))
  const middles = begins.slice(0, -1).map((begin) => begin + width / 2)
  const common = { timeline, colours }
  const room = roomOf(timeline)
  return [
    {
      name: 'operations',
      data: [begins, perSecond(timeline.acked), perSecond(timeline.read), perSecond(timeline.refused)],
      options: optionsOf(common, {
        height: 150,
        label: 'operations / s',
        names: true,
        series: [
          { ...steps(colours.acked), fill: `${colours.acked}33` },
          steps(colours.read),
          steps(colours.refused),
        ],
        y: { range: (_, __, max) => [0, Math.max(10, max * 1.1)] },
      }),
    },
    {
      name: 'latency',
      data: [middles, milliseconds(timeline.slowestLatency), milliseconds(timeline.medianLatency)],
      options: optionsOf(common, {
        height: 120,
        label: 'latency, ms',
        series: [
          dots(colours.slowest, 5),
          { ...dots(colours.median, 4), stroke: colours.median, width: 1.5 },
        ],
        y: { distr: 3, range: (_, __, max) => [LEAST_LATENCY, tenfold(max * 1.2)] },
        splits: ({ scales: { y } }) => POWERS.filter((power) => power <= y!.max!),
        values: (_, splits) => splits.map(String),
        filter: (_, splits) => splits,
      }),
    },
    {
      name: 'marks',
      data: marksOf(timeline, middles),
      options: optionsOf(common, {
        height: 130 + (room === undefined ? TIME_AXIS : 0),
        hasTime: room === undefined,
        series: [
          dots(colours.acked, 4),
          dots(colours.refused, 5),
          dots(colours.evidence, 9),
          {
            ...dots(colours.evidence, 9),
            points: { ...dots(colours.evidence, 9).points, fill: colours.page },
          },
          dots(colours.target, 8),
          dots(colours.violation, 11),
        ],
        y: { range: () => [-0.6, LANES.length - 0.4] },
        splits: () => [...LANES.keys()],
        values: () => [...LANES],
      }),
    },
    ...(room === undefined
      ? []
      : [
          {
            name: 'room' as const,
            data: room.data,
            options: optionsOf(common, {
              height: 100 + TIME_AXIS,
              hasTime: true,
              label: room.label,
              series: [{ ...steps(colours.room), fill: `${colours.room}33` }],
              y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] },
            }),
          },
        ]),
  ]
}

/** The power of ten that is no less. */
function tenfold(value: number): number {
  return 10 ** Math.ceil(Math.log10(Math.max(value, 10)))
}

/** A row of times, and for each lane a row in which its marks are. Probes have a row of their own, hollow. */
function marksOf({ acked, refused, marks }: Timeline, middles: readonly number[]): uPlot.AlignedData {
  const rows: readonly (readonly [lane: Lane, times: readonly number[]])[] = [
    ['acks', middles.filter((_, bin) => acked[bin]! > 0)],
    ['refusals', middles.filter((_, bin) => refused[bin]! > 0)],
    ['evidence', marks.flatMap(({ kind, at }) => (kind === 'direct' ? [at] : []))],
    ['evidence', marks.flatMap(({ kind, at }) => (kind === 'probe' ? [at] : []))],
    ['target', marks.flatMap(({ kind, at }) => (LANE_OF[kind] === 'target' ? [at] : []))],
    ['violations', marks.flatMap(({ kind, at }) => (kind === 'violation' ? [at] : []))],
  ]
  const times = [...new Set(rows.flatMap(([, each]) => each))].sort((a, b) => a - b)
  const series = rows.map(([lane, each]) => {
    const there = new Set(each)
    return times.map((time) => (there.has(time) ? LANES.indexOf(lane) : null))
  })
  return [times, ...series]
}

/** Free bytes, or free inodes where those are what the fault takes away; undefined where nobody looked. */
function roomOf({
  space,
  spans,
  durationMs,
}: Timeline): { data: uPlot.AlignedData; label: string } | undefined {
  const last = space.at(-1)
  if (last === undefined) return undefined
  const times = [...space.map(({ at }) => at), durationMs]
  if (spans.some(({ name }) => name === 'inodes')) {
    return { label: 'inodes free', data: [times, [...space, last].map(({ freeInodes }) => freeInodes)] }
  }
  const isSmall = space.every(({ freeKib }) => freeKib < 2048)
  const unit = isSmall ? 1 : 1024
  return {
    label: isSmall ? 'KiB free' : 'MiB free',
    data: [times, [...space, last].map(({ freeKib }) => freeKib / unit)],
  }
}

function steps(stroke: string): uPlot.Series {
  return { stroke, width: 1.5, points: { show: false }, paths: uPlot.paths.stepped!({ align: 1 }) }
}

function dots(colour: string, size: number): uPlot.Series {
  return {
    stroke: colour,
    paths: () => null,
    points: { show: true, size, width: 1.5, stroke: colour, fill: colour },
  }
}

interface Draft {
  readonly height: number
  readonly label?: string
  /** Whether the names of faults stand in the spans. */
  readonly names?: true
  /** Whether the time axis has its numbers. */
  readonly hasTime?: boolean
  readonly series: readonly uPlot.Series[]
  readonly y: uPlot.Scale
  readonly splits?: uPlot.Axis.Splits
  readonly values?: uPlot.Axis.Values
  readonly filter?: uPlot.Axis.Filter
}

function optionsOf(
  { timeline, colours }: { timeline: Timeline; colours: Colours },
  { height, label, names, hasTime = false, series, y, splits, values, filter }: Draft,
): Chart['options'] {
  const lines = { stroke: colours.grid, width: 1 }
  const font = '12px system-ui, sans-serif'
  return {
    height,
    padding: [8, RIGHT, hasTime ? 0 : 6, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false }, sync: { key: 'trial' } },
    scales: { x: { time: false, range: () => [0, Math.max(1, timeline.durationMs)] }, y },
    series: [{}, ...series],
    axes: [
      {
        stroke: colours.text,
        font,
        grid: lines,
        ticks: { show: false },
        ...(hasTime
          ? {
              size: TIME_AXIS - 20,
              label: 'milliseconds since the trial began',
              labelFont: font,
              labelSize: 20,
              gap: 4,
            }
          : { size: 0, values: () => [] }),
      },
      {
        stroke: colours.text,
        font,
        size: label === undefined ? LEFT : LEFT - 20,
        gap: 6,
        grid: lines,
        ticks: { show: false },
        ...(label === undefined ? {} : { label, labelFont: font, labelSize: 20 }),
        ...(splits === undefined ? {} : { splits }),
        ...(values === undefined ? {} : { values }),
        ...(filter === undefined ? {} : { filter }),
      },
    ],
    hooks: {
      drawClear: [(plot) => drawSpans(plot, timeline, colours)],
      draw: [
        (plot) => drawViolations(plot, timeline, colours),
        ...(names ? [(plot: uPlot) => drawNames(plot, timeline, colours)] : []),
      ],
    },
  }
}

/** Shades what was on: https://github.com/leeoniya/uPlot/tree/master/docs, hooks. */
function drawSpans(plot: uPlot, { spans }: Timeline, colours: Colours): void {
  const { ctx, bbox } = plot
  ctx.save()
  for (const { kind, from, to } of spans) {
    ctx.fillStyle = colours.shades[kind]
    const left = plot.valToPos(from, 'x', true)
    ctx.fillRect(left, bbox.top, Math.max(1, plot.valToPos(to, 'x', true) - left), bbox.height)
  }
  ctx.restore()
}

function drawNames(plot: uPlot, { spans }: Timeline, colours: Colours): void {
  const { ctx, bbox } = plot
  const pixel = devicePixelRatio
  ctx.save()
  ctx.font = `${11 * pixel}px system-ui, sans-serif`
  ctx.fillStyle = colours.text
  ctx.textAlign = 'left'
  ctx.textBaseline = 'top'
  for (const { kind, name, from, to } of spans) {
    const left = plot.valToPos(from, 'x', true)
    const text = kind === 'verify' ? 'read-back' : name
    if (ctx.measureText(text).width + 8 * pixel > plot.valToPos(to, 'x', true) - left) continue
    ctx.fillText(text, left + 4 * pixel, bbox.top + 4 * pixel)
  }
  ctx.restore()
}

function drawViolations(plot: uPlot, { marks }: Timeline, colours: Colours): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.strokeStyle = colours.violation
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio])
  for (const { kind, at } of marks) {
    if (kind !== 'violation') continue
    const x = plot.valToPos(at, 'x', true)
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
  }
  ctx.restore()
}
