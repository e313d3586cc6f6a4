/** The part of a target's log that was written around some moments. */
import { visible } from './words.js'

export interface LogLine {
  /** Milliseconds since the trial began; absent in a log that has no times. */
  readonly time?: number
  readonly text: string
  /** How many lines before this one are left out. */
  readonly skipped?: number
}

/** Lines before and after each moment; without any moment, the last lines. */
const BEFORE = 8
const AFTER = 4
const LAST = 24
/** Most characters of one line. */
const LONGEST = 300

/**
 * @param log as TimedLog writes it: '[    0.3508] cannot append'
 * @param moments milliseconds since the trial began
 */
export function logAround(log: string, moments: readonly number[]): LogLine[] {
  const lines = log.replace(/\n$/, '').split('\n').map(parse)
  if (log === '') return []
  const chosen = new Set<number>()
  const take = (from: number, to: number) => {
    for (let line = Math.max(0, from); line < Math.min(to, lines.length); line += 1) chosen.add(line)
  }
  for (const moment of moments) {
    const next = lines.findIndex(({ time }) => time !== undefined && time > moment)
    const middle = next === -1 ? lines.length : next
    take(middle - BEFORE, middle + AFTER)
  }
  if (moments.length === 0) take(lines.length - LAST, lines.length)
  let last = -1
  return [...chosen]
    .sort((a, b) => a - b)
    .map((line) => {
      const skipped = line - last - 1
      last = line
      return { ...lines[line]!, ...(skipped === 0 ? {} : { skipped }) }
    })
}

function parse(line: string): LogLine {
  const match = /^\[ *(\d+\.\d{4})\] (.*)$/s.exec(line)
  const text = (whole: string) => visible(whole.length > LONGEST ? `${whole.slice(0, LONGEST)}…` : whole)
  if (match === null) return { text: text(line) }
  return { time: Math.round(Number(match[1]) * 10_000) / 10, text: text(match[2]!) }
}
