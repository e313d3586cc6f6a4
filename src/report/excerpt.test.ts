import { describe, expect, it } from 'vitest'
import type { Event, Operation } from '../history/events.js'
import { type ExcerptRow, History } from './excerpt.js'

const full = { code: 'ENOSPC', kind: 'disk-full', recoverable: true, message: 'no room' } as const

/** A history that gives each event its time by its place in it. */
class Draft {
  readonly events: Event[] = []
  #id = 0

  /** @returns the index of the answer */
  call(op: Operation, answer: { type: 'ok' } | { type: 'fail' } | { type: 'info' } = { type: 'ok' }): number {
    const id = ++this.#id
    const time = this.events.length
    this.events.push({ type: 'invoke', time, id, client: 0, op })
    const after = { time: time + 1, id }
    if (answer.type === 'ok')
      this.events.push({ ...after, type: 'ok', ...(op.f === 'get' ? { value: null } : {}) })
    else this.events.push({ ...after, type: answer.type, error: full })
    return time + 1
  }

  puts(count: number, key = 'other'): void {
    for (let n = 0; n < count; n += 1) this.call(put(key, 1000 + n))
  }

  around(at: number, summary = ''): ExcerptRow[] {
    return new History(this.events).around({ at, summary })
  }
}

const put = (key: string, seq: number): Operation => ({ f: 'put', key, seq, size: 9 })
const words = (rows: readonly ExcerptRow[]) =>
  rows.map(({ what, outcome, skipped }) =>
    [...(skipped ? [`(${skipped})`] : []), what, ...(outcome ? [outcome] : [])].join(' '),
  )

describe('the history around a violation', () => {
  it('has the proof, what came right before and after it, and how much is left out', () => {
    const draft = new Draft()
    draft.puts(20)
    const at = draft.call({ f: 'get', key: 'k1' })
    draft.puts(20)
    const rows = draft.around(at)
    expect(words(rows)).toEqual([
      '(15) put #1015 of key other acked',
      ...[16, 17, 18, 19].map((n) => `put #10${n} of key other acked`),
      'get of key k1 nothing there',
      ...[0, 1, 2].map((n) => `put #100${n} of key other acked`),
    ])
    expect(rows.flatMap(({ isProof }, row) => (isProof ? [row] : []))).toEqual([5])
  })

  it('goes back to what was written to the same key, and only that', () => {
    const draft = new Draft()
    draft.call(put('k1', 1))
    draft.call(put('k10', 2))
    draft.call({
      f: 'batch',
      writes: [
        { f: 'delete', key: 'k9', seq: 3 },
        { f: 'delete', key: 'k1', seq: 4 },
      ],
    })
    draft.call(put('k1', 5), { type: 'fail' })
    draft.puts(20)
    const rows = draft.around(draft.call({ f: 'get', key: 'k1' }))
    expect(words(rows).slice(0, 4)).toEqual([
      'put #1 of key k1 acked',
      '(1) batch #3 to #4, with delete #4 of key k1 acked',
      'put #5 of key k1 refused, disk-full: no room',
      '(15) put #1015 of key other acked',
    ])
    expect(rows.filter(({ isRelated }) => isRelated)).toHaveLength(4)
  })

  it('of a scan is about the keys that the sentence names, and no longer ones', () => {
    const draft = new Draft()
    draft.call(put('k1', 1))
    draft.call(put('k10', 2))
    draft.puts(20)
    const at = draft.call({ f: 'scan', after: null, limit: 9 })
    expect(words(draft.around(at, 'key k10: put #2 was acked, and nothing is there'))[0]).toBe(
      '(1) put #2 of key k10 acked',
    )
  })

  it('tells what happened in the world, and of operations without an answer', () => {
    const draft = new Draft()
    draft.events.push(
      { type: 'volume', time: 0, detail: 'tmpfs on /x' },
      { type: 'phase', time: 0, phase: 'healthy' },
    )
    draft.puts(20)
    draft.events.push({ type: 'invoke', time: 50, id: 99, client: 0, op: { f: 'sync' } })
    draft.events.push({ type: 'space', time: 51, freeBytes: 0, freeInodes: 0 })
    const at = draft.events.push({ type: 'process', time: 52, action: 'crash', detail: 'exited with 1' }) - 1
    const rows = draft.around(at)
    expect(words(rows)[0]).toBe('volume: tmpfs on /x')
    expect(rows.slice(-2)).toEqual([
      { time: 50, what: 'sync', outcome: 'no answer', tone: 'unknown' },
      { time: 52, what: 'target: crash: exited with 1', tone: 'world', isProof: true },
    ])
  })

  it('shows hostile text on one line, with nothing in it that is not to be seen', () => {
    const draft = new Draft()
    const at = draft.call({ f: 'get', key: '\u001b[31m\n\u202e' })
    expect(words(draft.around(at))[0]).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })

  it('is nothing where the proof is not in the history', () => {
    expect(new Draft().around(0)).toEqual([])
    expect(new Draft().around(-1)).toEqual([])
  })
})
