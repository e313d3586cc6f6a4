/** A trial at a glance: all that a picture of it needs, in a few hundred numbers. A pure function of the history. */
import type { Event, FaultFamily, Operation } from './events.js'

/** Into how many parts of the same length a trial is cut. */
export const BINS = 100
/** Most samples of free room: as many as a line on a screen can show. */
const MOST_SAMPLES = 100

export interface Timeline {
  /** Milliseconds. All times here are whole milliseconds since the trial began. */
  readonly durationMs: number
  /** For each bin, how many writes were acked, reads and the like answered, operations refused, or left unknown. */
  readonly acked: readonly number[]
  readonly read: readonly number[]
  readonly refused: readonly number[]
  readonly unknown: readonly number[]
  /** For each bin, the latency of the answers that came in it, in tenths of a millisecond; 0 where none came. */
  readonly medianLatency: readonly number[]
  readonly slowestLatency: readonly number[]
  readonly spans: readonly Span[]
  readonly marks: readonly Mark[]
  /** Where it changed: how much room the volume had left. */
  readonly space: readonly SpaceSample[]
}

/** A time in which something was on: a fault (`name` says which), or everything was being read back. */
export interface Span {
  readonly kind: FaultFamily | 'verify'
  readonly name: string
  readonly from: number
  readonly to: number
}

export type MarkKind =
  /** Evidence: `about` is the error, `count` how often it was seen. */
  | 'direct'
  | 'probe'
  /** Of the target's process. */
  | 'start'
  | 'kill'
  | 'stop'
  | 'crash'
  | 'hang'
  | 'garbage'
  /** The directory could not be opened (`about` is the kind of error), or only for reading. */
  | 'open-failed'
  | 'read-only'
  /** `about` is how writes came back. */
  | 'resume'
  /** `count` is the number of the violation in its trial, from 1. */
  | 'violation'

export interface Mark {
  readonly at: number
  readonly kind: MarkKind
  readonly about?: string
  readonly count?: number
}

interface SpaceSample {
  readonly at: number
  /** Rounded down, so that 0 is what has less than 1 KiB. */
  readonly freeKib: number
  readonly freeInodes: number
}

/** @param proofs indexes of the events that prove the trial's violations, in their order */
export function timelineOf(history: readonly Event[], proofs: readonly number[] = []): Timeline {
  const durationMs = Math.ceil(history.at(-1)?.time ?? 0)
  const bins = new Bins(durationMs)
  const calls = new Map<number, { readonly op: Operation; readonly time: number }>()
  for (const event of history) {
    if (event.type === 'invoke') calls.set(event.id, event)
    else if (event.type === 'ok' || event.type === 'fail' || event.type === 'info') {
      const call = calls.get(event.id)
      if (call === undefined) continue
      calls.delete(event.id)
      bins.add(event, call.op, event.time - call.time)
    }
  }
  const violations = proofs.flatMap((proof, index): Mark[] =>
    history[proof] === undefined
      ? []
      : [{ at: Math.round(history[proof].time), kind: 'violation', count: index + 1 }],
  )
  const marks = [...history.flatMap(markOf), ...violations].sort((a, b) => a.at - b.at)
  return {
    durationMs,
    ...bins.series(),
    spans: spansOf(history, durationMs),
    marks,
    space: spaceOf(history, durationMs),
  }
}

/** Counts answers by the time at which they came. */
class Bins {
  readonly #width: number
  readonly #acked = zeros()
  readonly #read = zeros()
  readonly #refused = zeros()
  readonly #unknown = zeros()
  readonly #latencies: number[][] = Array.from({ length: BINS }, () => [])

  constructor(durationMs: number) {
    this.#width = Math.max(1, durationMs) / BINS
  }

  add({ type, time }: { type: 'ok' | 'fail' | 'info'; time: number }, op: Operation, latency: number): void {
    const bin = Math.min(BINS - 1, Math.floor(time / this.#width))
    const isWrite = op.f === 'put' || op.f === 'delete' || op.f === 'batch'
    const counts = type === 'fail' ? this.#refused : type === 'info' ? this.#unknown : undefined
    const series = counts ?? (isWrite ? this.#acked : this.#read)
    series[bin]! += 1
    // how long one without an answer was waited for says nothing of the target
    if (type !== 'info') this.#latencies[bin]!.push(latency)
  }

  series() {
    const sorted = this.#latencies.map((each) => each.sort((a, b) => a - b))
    return {
      acked: this.#acked,
      read: this.#read,
      refused: this.#refused,
      unknown: this.#unknown,
      medianLatency: sorted.map((each) => tenths(each[Math.floor(each.length / 2)])),
      slowestLatency: sorted.map((each) => tenths(each.at(-1))),
    }
  }
}

function zeros(): number[] {
  return new Array<number>(BINS).fill(0)
}

/** Two digits are what a picture can show. Times are tenths themselves, so 0 means 'less than one'. */
function tenths(latency: number | undefined): number {
  if (latency === undefined) return 0
  const rounded = Number((latency * 10).toPrecision(2))
  return Math.max(1, Math.round(rounded))
}

function markOf(event: Event): Mark[] {
  const at = Math.round(event.time)
  switch (event.type) {
    case 'evidence':
      return event.count === 0 ? [] : [{ at, kind: event.grade, about: event.errno, count: event.count }]
    case 'process':
      return [{ at, kind: event.action }]
    case 'open':
      if (!event.ok) return [{ at, kind: 'open-failed', about: event.error.kind }]
      return event.mode === 'read-only' ? [{ at, kind: 'read-only' }] : []
    case 'resume':
      return [{ at, kind: 'resume', about: event.how }]
    default:
      return []
  }
}

function spansOf(history: readonly Event[], end: number): Span[] {
  const spans: Span[] = []
  const open = new Map<string, Omit<Span, 'to'>>()
  const close = (name: string, time: number) => {
    const span = open.get(name)
    if (span !== undefined) spans.push({ ...span, to: Math.round(time) })
    open.delete(name)
  }
  for (const event of history) {
    const from = Math.round(event.time)
    if (event.type === 'fault') {
      close(event.fault, event.time)
      if (event.action === 'inject') open.set(event.fault, { kind: event.family, name: event.fault, from })
    } else if (event.type === 'verify') {
      close('', event.time)
      if (event.action === 'begin') open.set('', { kind: 'verify', name: '', from })
    } else if (event.type === 'process') {
      close('', event.time)
    }
  }
  for (const name of [...open.keys()]) close(name, end)
  return spans.sort((a, b) => a.from - b.from)
}

/** Of samples that lie too close together for a picture, the last one stays. */
function spaceOf(history: readonly Event[], durationMs: number): SpaceSample[] {
  const apart = durationMs / MOST_SAMPLES
  const samples: SpaceSample[] = []
  for (const event of history) {
    if (event.type !== 'space') continue
    const { freeBytes, freeInodes } = event
    const sample = { at: Math.round(event.time), freeKib: Math.floor(freeBytes / 1024), freeInodes }
    const before = samples.at(-2)
    if (before !== undefined && sample.at - before.at < apart) samples.pop()
    samples.push(sample)
  }
  return samples
}
