/** The history around a violation: what the event that proves it was an answer to, and what happened to the same keys. */
import type { Event, Observed, Operation, WriteOp } from '../history/events.js'
import { eventInWords } from '../history/words.js'
import { keyInWords, operationInWords, writeInWords } from '../oracle/words.js'
import { oneLine } from './words.js'

/** One operation with its answer, or one event of the world around the operations. */
export interface ExcerptRow {
  /** Milliseconds since the trial began, when it was asked or when it happened. */
  readonly time: number
  readonly what: string
  /** What came of an operation, in words. */
  readonly outcome?: string
  readonly tone: 'ok' | 'refused' | 'unknown' | 'world'
  /** Set on the row that proves the violation. */
  readonly isProof?: true
  /** Set where it touches a key that the violation is about. */
  readonly isRelated?: true
  /** How many rows before this one are left out. */
  readonly skipped?: number
}

/** Rows right before and right after the proof. */
const BEFORE = 5
const AFTER = 3
/** Most rows further back: of the same keys, and of the world. */
const MOST_RELATED = 8
const MOST_WORLD = 8

type Answer = Extract<Event, { type: 'ok' | 'fail' | 'info' }>

interface Row {
  readonly event: Event
  answer?: Answer
}

/** A history as rows, so that many excerpts can be made of it. */
export class History {
  readonly #rows: Row[] = []
  /** The row of each event, by its index. */
  readonly #rowOf: number[] = []

  constructor(events: readonly Event[]) {
    const asked = new Map<number, number>()
    for (const event of events) {
      if (event.type === 'ok' || event.type === 'fail' || event.type === 'info') {
        const row = asked.get(event.id) ?? 0
        this.#rows[row]!.answer = event
        this.#rowOf.push(row)
        continue
      }
      if (event.type === 'invoke') asked.set(event.id, this.#rows.length)
      this.#rowOf.push(this.#rows.length)
      this.#rows.push({ event })
    }
  }

  /**
   * @param violation of this history: the index of the event that proves it, and its sentence, which names keys
   * @returns nothing where the event is not in the history
   */
  around({ at, summary }: { readonly at: number; readonly summary: string }): ExcerptRow[] {
    const proof = this.#rowOf[at]
    if (proof === undefined) return []
    const keys = this.#keysOf(proof, summary)
    const earlier = [...this.#rows.keys()].filter((row) => row < proof - BEFORE)
    const chosen = new Set([
      ...earlier.filter((row) => this.#touches(row, keys)).slice(-MOST_RELATED),
      ...earlier.filter((row) => this.#isWorld(row)).slice(-MOST_WORLD),
    ])
    for (let row = Math.max(0, proof - BEFORE); row <= proof + AFTER && row < this.#rows.length; row += 1)
      if (this.#isTold(row)) chosen.add(row)
    let last = -1
    return [...chosen]
      .sort((a, b) => a - b)
      .map((row) => {
        const skipped = this.#toldBetween(last, row)
        last = row
        return {
          ...this.#inWords(row, keys),
          ...(row === proof ? { isProof: true as const } : {}),
          ...(this.#touches(row, keys) ? { isRelated: true as const } : {}),
          ...(skipped === 0 ? {} : { skipped }),
        }
      })
  }

  /** The keys of the operation that proves a violation; of a scan, those that the sentence names. */
  #keysOf(proof: number, summary: string): ReadonlySet<string> {
    const { event } = this.#rows[proof]!
    if (event.type === 'invoke' && event.op.f !== 'scan') return new Set(keysOf(event.op))
    const all = this.#rows.flatMap((row) => (row.event.type === 'invoke' ? keysOf(row.event.op) : []))
    return new Set([...new Set(all)].filter((key) => names(summary, key)))
  }

  #touches(row: number, keys: ReadonlySet<string>): boolean {
    const { event } = this.#rows[row]!
    return event.type === 'invoke' && keysOf(event.op).some((key) => keys.has(key))
  }

  #isWorld(row: number): boolean {
    const { event } = this.#rows[row]!
    return event.type !== 'invoke' && event.type !== 'phase' && eventInWords(event) !== undefined
  }

  #isTold(row: number): boolean {
    return this.#rows[row]!.event.type === 'invoke' || this.#isWorld(row)
  }

  #toldBetween(from: number, to: number): number {
    let told = 0
    for (let row = from + 1; row < to; row += 1) if (this.#isTold(row)) told += 1
    return told
  }

  #inWords(row: number, keys: ReadonlySet<string>): ExcerptRow {
    const { event, answer } = this.#rows[row]!
    const { time } = event
    if (event.type !== 'invoke')
      return { time, what: oneLine(eventInWords(event) ?? event.type), tone: 'world' }
    const what = oneLine(`${operationInWords(event.op)}${partsInWords(event.op, keys)}`)
    if (answer === undefined) return { time, what, outcome: 'no answer', tone: 'unknown' }
    const outcome = oneLine(answerInWords(event.op, answer))
    const tone = ({ ok: 'ok', fail: 'refused', info: 'unknown' } as const)[answer.type]
    return { time, what, outcome, tone }
  }
}

function keysOf(op: Operation): readonly string[] {
  if (op.f === 'batch') return op.writes.map(({ key }) => key)
  return 'key' in op ? [op.key] : []
}

/** Whether a sentence names a key, and not just a longer one that begins like it. */
function names(summary: string, key: string): boolean {
  const words = keyInWords(key)
  for (let at = summary.indexOf(words); at !== -1; at = summary.indexOf(words, at + 1)) {
    if (!/^[\w./…-]/.test(summary.slice(at + words.length))) return true
  }
  return false
}

/** Of a batch, the parts that write the keys in question. */
function partsInWords(op: Operation, keys: ReadonlySet<string>): string {
  if (op.f !== 'batch') return ''
  const parts = op.writes.filter(({ key }) => keys.has(key))
  return parts.length === 0 ? '' : `, with ${parts.map(partInWords).join(' and ')}`
}

function partInWords(write: WriteOp): string {
  return `${writeInWords(write)} of ${keyInWords(write.key)}`
}

function answerInWords(op: Operation, answer: Answer): string {
  switch (answer.type) {
    case 'ok':
      if (op.f === 'get') return observedInWords(answer.value ?? null)
      if (op.f === 'scan') return `${answer.entries?.length ?? 0} entries`
      return op.f === 'sync' || op.f === 'compact' ? 'done' : 'acked'
    case 'fail':
      return `refused, ${answer.error.kind}: ${answer.error.message}`
    case 'info':
      return `unknown, ${answer.error.kind}: ${answer.error.message}`
  }
}

function observedInWords(observed: Observed): string {
  if (observed === null) return 'nothing there'
  if ('seq' in observed) return `put #${observed.seq}`
  return 'text' in observed ? JSON.stringify(observed.text) : observed.corrupt
}
