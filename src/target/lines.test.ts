import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LineSplitter } from './lines.js'

it('gives back the lines that were joined, however the bytes were cut', () => {
  const line = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\n'))
  const cuts = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 })
  fc.assert(
    fc.property(fc.array(line), cuts, (lines, cuts) => {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
      const splitter = new LineSplitter(1000)
      const seen: string[] = []
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = cuts[i % cuts.length] as number
        const chunk = bytes.subarray(at, at + size)
        expect(splitter.push(chunk, (line) => seen.push(line) > 0)).toBe(true)
        at += size
      }
      expect(seen).toEqual(lines)
    }),
  )
})

it('refuses a line longer than the limit, with its newline or still without', () => {
  const all = () => true
  expect(new LineSplitter(4).push(Buffer.from('1234\n'), all)).toBe(true)
  expect(new LineSplitter(4).push(Buffer.from('12345\n'), all)).toBe(false)
  const splitter = new LineSplitter(4)
  expect(splitter.push(Buffer.from('123'), all)).toBe(true)
  expect(splitter.push(Buffer.from('45'), all)).toBe(false)
})

it('stops at the line that was not wanted', () => {
  const seen: string[] = []
  new LineSplitter(10).push(Buffer.from('a\nb\nc\n'), (line) => seen.push(line) < 2)
  expect(seen).toEqual(['a', 'b'])
})
