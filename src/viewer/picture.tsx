import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { type PackedTimeline, unpackTimeline } from '../history/packed-timeline.js'
import { BINS, type Mark, type Span, type Timeline } from '../history/timeline.js'
import { chartsOf } from './charts.js'
import { useColours } from './colours.js'

/** What happened in a trial, as charts with one time axis; and the same in words, for who does not see them. */
export function Picture({ timeline: packed }: { timeline: PackedTimeline }) {
  const timeline = useMemo(() => unpackTimeline(packed), [packed])
  const [pointed, point] = useState<number | undefined>()
  return (
    <figure class="picture">
      <Legend timeline={timeline} />
      <Charts timeline={timeline} point={point} />
      <p class="pointed" aria-hidden="true">
        {pointed === undefined ? 'Point at a moment to read its figures.' : figuresAt(timeline, pointed)}
      </p>
      <Moments timeline={timeline} />
    </figure>
  )
}

function Charts({ timeline, point }: { timeline: Timeline; point(time: number | undefined): void }) {
  const place = useRef<HTMLDivElement>(null)
  const colours = useColours()
  useEffect(() => {
    const element = place.current!
    const width = () => Math.max(280, element.clientWidth)
    const onCursor = (plot: uPlot) => {
      const { left = -1 } = plot.cursor
      point(left < 0 ? undefined : plot.posToVal(left, 'x'))
    }
    const plots = chartsOf(timeline, colours).map(({ name, options, data }) => {
      const hooks = { ...options.hooks, setCursor: [onCursor] }
      const plot = new uPlot({ ...options, hooks, width: width(), class: name }, data, element)
      return plot
    })
    const observer = new ResizeObserver(() => {
      for (const plot of plots)
        if (plot.width !== width()) plot.setSize({ width: width(), height: plot.height })
    })
    observer.observe(element)
    return () => {
      observer.disconnect()
      for (const plot of plots) plot.destroy()
    }
  }, [timeline, colours, point])
  return <div ref={place} class="charts" role="img" aria-label={inOneSentence(timeline)} />
}

function Legend({ timeline: { spans, marks, unknown } }: { timeline: Timeline }) {
  const kinds = [...new Set(spans.map(({ kind }) => kind))]
  const has = (kind: Mark['kind']) => marks.some((mark) => mark.kind === kind)
  const left = unknown.reduce((sum, each) => sum + each, 0)
  return (
    <figcaption>
      <ul class="legend">
        <li class="key acked line">writes acked</li>
        <li class="key read line">reads</li>
        <li class="key refused line">refused</li>
        <li class="key median dot">median latency</li>
        <li class="key slowest dot">slowest</li>
        {has('direct') && <li class="key evidence dot">evidence, direct</li>}
        {has('probe') && <li class="key evidence ring">evidence, by probe</li>}
        <li class="key target dot">target started or ended</li>
        {has('violation') && <li class="key violation dot">violation</li>}
        {kinds.map((kind) => (
          <li key={kind} class={`key shade ${kind}`}>
            {kind === 'verify' ? 'everything read back' : `fault: ${namesOf(spans, kind)}`}
          </li>
        ))}
        {left > 0 && (
          <li>{left === 1 ? '1 operation' : `${left} operations`} left without a known outcome</li>
        )}
      </ul>
    </figcaption>
  )
}

function namesOf(spans: readonly Span[], kind: Span['kind']): string {
  return [...new Set(spans.filter((span) => span.kind === kind).map(({ name }) => name))].join(', ')
}

/** Spans and marks as a table. */
function Moments({ timeline: { spans, marks } }: { timeline: Timeline }) {
  const begun = spans.map(({ kind, name, from, to }) => ({
    at: from,
    what:
      kind === 'verify'
        ? `everything is read back, for ${to - from} ms`
        : `fault ${name}, for ${to - from} ms`,
  }))
  const moments = [...begun, ...marks.map((mark) => ({ at: mark.at, what: markInWords(mark) }))]
  return (
    <details>
      <summary>All of its moments in words ({moments.length})</summary>
      <table class="moments">
        <thead>
          <tr>
            <th scope="col" class="number">
              ms
            </th>
            <th scope="col">what</th>
          </tr>
        </thead>
        <tbody>
          {moments
            .sort((a, b) => a.at - b.at)
            .map(({ at, what }, index) => (
              <tr key={index}>
                <td class="number">{at}</td>
                <td>{what}</td>
              </tr>
            ))}
        </tbody>
      </table>
    </details>
  )
}

function markInWords({ kind, about, count }: Mark): string {
  switch (kind) {
    case 'direct':
      return `evidence, direct: ${count} system calls of the target failed with ${about}`
    case 'probe':
      return `evidence, by probe: in the target's place it got ${about}`
    case 'start':
      return 'the target is started'
    case 'kill':
      return 'the target is killed'
    case 'stop':
      return 'the target is stopped'
    case 'crash':
      return 'the target crashes'
    case 'hang':
      return 'the target hangs, and is killed'
    case 'garbage':
      return 'the target does not speak the protocol'
    case 'open-failed':
      return `the directory cannot be opened: ${about}`
    case 'read-only':
      return 'the directory is open for reading only'
    case 'resume':
      return about === 'never' ? 'writes never came back' : `writes are back: ${about}`
    case 'violation':
      return `violation ${count} is proven`
  }
}

function inOneSentence({ durationMs, acked, read, refused, spans, marks }: Timeline): string {
  const sum = (series: readonly number[]) => series.reduce((total, each) => total + each, 0)
  const faults = spans.filter(({ kind }) => kind !== 'verify').length
  return (
    `Timeline of ${durationMs} ms: ${sum(acked)} writes acked, ${sum(read)} reads, ${sum(refused)} operations refused, ` +
    `${faults} ${faults === 1 ? 'fault' : 'faults'}, ${marks.length} marks. They are listed below the picture.`
  )
}

function figuresAt(timeline: Timeline, time: number): string {
  const width = Math.max(1, timeline.durationMs) / BINS
  const bin = Math.min(BINS - 1, Math.max(0, Math.floor(time / width)))
  const rate = (series: readonly number[]) => Math.round((series[bin]! * 1000) / width).toLocaleString('en')
  const { acked, read, refused, medianLatency, slowestLatency, space, spans } = timeline
  const median = medianLatency[bin]!
  const room = space.findLast(({ at }) => at <= time)
  const on = spans.filter(({ from, to }) => from <= time && time < to)
  return [
    `${Math.round(time)} ms`,
    `${rate(acked)} acked/s`,
    `${rate(read)} reads/s`,
    `${rate(refused)} refused/s`,
    ...(median === 0 ? [] : [`latency ${median / 10} ms, slowest ${slowestLatency[bin]! / 10} ms`]),
    ...(room === undefined ? [] : [`${room.freeKib.toLocaleString('en')} KiB free`]),
    ...on.map(({ kind, name }) => (kind === 'verify' ? 'read-back' : `fault ${name}`)),
  ].join(' · ')
}
