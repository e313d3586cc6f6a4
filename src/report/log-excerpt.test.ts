import { describe, expect, it } from 'vitest'
import { logAround } from './log-excerpt.js'

const line = (time: number, text: string) => `[${(time / 1000).toFixed(4).padStart(10)}] ${text}\n`
/** A line every ten milliseconds. */
const log = Array.from({ length: 100 }, (_, n) => line(n * 10, `line ${n}`)).join('')
const numbers = (lines: ReturnType<typeof logAround>) => lines.map(({ text }) => Number(text.slice(5)))

describe("the target's log", () => {
  it('around a moment, with what is left out', () => {
    const lines = logAround(log, [500])
    expect(numbers(lines)).toEqual([43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54])
    expect(lines[0]).toEqual({ time: 430, text: 'line 43', skipped: 43 })
    expect(lines.filter(({ skipped }) => skipped !== undefined)).toHaveLength(1)
  })

  it('around two moments has each line once', () => {
    expect(numbers(logAround(log, [500, 510]))).toEqual([43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55])
    expect(logAround(log, [100, 900]).filter(({ skipped }) => skipped !== undefined)).toHaveLength(2)
  })

  it('around a moment after its end, or without any, is its end', () => {
    expect(numbers(logAround(log, [5000])).at(-1)).toBe(99)
    expect(numbers(logAround(log, []))).toHaveLength(24)
  })

  it('can have lines without times, and lines that are too long', () => {
    expect(logAround('plain\n', [])).toEqual([{ text: 'plain' }])
    expect(logAround(line(1, 'x'.repeat(1000)), [1])[0]!.text).toBe(`${'x'.repeat(300)}…`)
    expect(logAround(line(1.5, '\u001b[31mred'), [1])).toEqual([{ time: 1.5, text: '\\x1b[31mred' }])
  })

  it('may be empty', () => {
    expect(logAround('', [1])).toEqual([])
  })
})
