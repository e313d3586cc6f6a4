/** A character for each trial, for logs that are long enough already. */
import { judgeGate } from './gate.js'
import type { Style } from './grid.js'
import type { RunResult, VerdictName } from './result.js'
import { fill } from './words.js'

const CHARACTERS: Readonly<Record<VerdictName, string>> = {
  passed: '.',
  failed: 'F',
  inconclusive: '?',
  skipped: '-',
  error: 'E',
}

/** The legend names only what there is. */
export function renderDots(run: RunResult, { width }: Style): string {
  const nameWidth = Math.max(0, ...run.scenarios.map(({ name }) => name.length)) + 2
  const lines = run.scenarios.flatMap(({ name, trials }) =>
    fill(
      trials.map(({ verdict }) => CHARACTERS[verdict]),
      Math.max(10, width - nameWidth),
    ).map((dots, row) => `${(row === 0 ? name : '').padEnd(nameWidth)}${dots}`),
  )
  const verdicts = new Set(run.scenarios.flatMap(({ trials }) => trials.map(({ verdict }) => verdict)))
  const legend = Object.entries(CHARACTERS)
    .filter(([verdict]) => verdicts.has(verdict as VerdictName))
    .map(([verdict, character]) => `${character} ${verdict}`)
  return `${[...lines, ...(legend.length === 0 ? [] : ['', legend.join('  ')]), '', judgeGate(run).line].join('\n')}\n`
}
