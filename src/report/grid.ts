/** Text in columns, without lines around it, that fits the width where it can. */
import type { ChalkInstance } from 'chalk'
import Table from 'cli-table3'
import { fill } from './words.js'

/** How a text for a terminal may look. */
export interface Style {
  readonly chalk: ChalkInstance
  /** Columns of the terminal. */
  readonly width: number
}

export interface Column {
  readonly head: string
  readonly numeric?: boolean
  /** The pieces between which a text may be broken if the grid is too wide; not at all where this is absent. */
  chunks?(text: string): string[]
}

export interface Cell {
  /** One or more lines, without colours. */
  readonly text: string
  readonly paint?: ChalkInstance | undefined
}

/** Words, for columns of prose. */
export function atSpaces(text: string): string[] {
  return text.split(/(?= )/)
}

/** Lines of the grid, heads first. Columns of numbers are made narrower first, then the others from the left. */
export function renderGrid(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  style: Style,
): string[] {
  const { gap, widths } = layout(columns, rows, style.width)
  const fitted = (text: string, index: number) =>
    text
      .split('\n')
      .flatMap((line) =>
        line.length <= widths[index]! ? [line] : fill(chunksOf(columns[index]!, line), widths[index]!),
      )
      .join('\n')
  const table = new Table({
    head: columns.map(({ head }, index) => style.chalk.bold(fitted(head, index))),
    colAligns: columns.map(({ numeric }) => (numeric ? 'right' : 'left')),
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': gap },
  })
  for (const row of rows)
    table.push(
      row.map(({ text, paint }, index) =>
        paint === undefined ? fitted(text, index) : paint(fitted(text, index)),
      ),
    )
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
}

const SIDES = ['top', 'bottom', 'left', 'right', 'mid', 'top-mid', 'top-left', 'top-right', 'bottom-mid']
const JOINTS = ['bottom-left', 'bottom-right', 'left-mid', 'mid-mid', 'right-mid', 'middle']
const NO_LINES = Object.fromEntries([...SIDES, ...JOINTS].map((name) => [name, '']))

function chunksOf({ chunks }: Column, line: string): string[] {
  return chunks?.(line) ?? [line]
}

function layout(columns: readonly Column[], rows: readonly (readonly Cell[])[], width: number) {
  const widest = (lines: readonly string[]) => Math.max(...lines.map((line) => line.length))
  const lines = columns.map(({ head }, index) => [
    head,
    ...rows.flatMap((row) => row[index]!.text.split('\n')),
  ])
  const widths = lines.map(widest)
  const least = columns.map((column, index) =>
    widest(lines[index]!.flatMap((line) => chunksOf(column, line)).map((chunk) => chunk.trim())),
  )
  const natural = widths.reduce((sum, each) => sum + each, 0)
  const gaps = columns.length - 1
  const gap = natural + 2 * gaps <= width ? 2 : 1
  let surplus = natural + gap * gaps - width
  const numbersFirst = [...columns.keys()].sort(
    (a, b) => Number(columns[b]!.numeric ?? false) - Number(columns[a]!.numeric ?? false),
  )
  for (const index of numbersFirst) {
    const less = Math.max(0, Math.min(surplus, widths[index]! - least[index]!))
    widths[index] = widths[index]! - less
    surplus -= less
  }
  return { gap, widths }
}
