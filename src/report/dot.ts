/** A character for each trial, for logs that are long enough already. */
import { isFlaky } from './flaky.js'
import { judgeGate } from './gate.js'
import type { Style } from './grid.js'
import type { RunResult, TrialResult, VerdictName } from './result.js'
import { fill } from './words.js'

const CHARACTERS: Readonly<Record<VerdictName | 'flaky', string>> = {
  passed: '.',
  failed: 'F',
  inconclusive: '?',
  skipped: '-',
  error: 'E',
  flaky: '~',
}

function word(trial: TrialResult): keyof typeof CHARACTERS {
  return isFlaky(trial) ? 'flaky' : trial.verdict
}

/** The legend names only what there is. */
export function renderDots(run: RunResult, { width }: Style): string {
  const nameWidth = Math.max(0, ...run.scenarios.map(({ name }) => name.length)) + 2
  const lines = run.scenarios.flatMap(({ name, trials }) =>
    fill(
      trials.map((trial) => CHARACTERS[word(trial)]),
      Math.max(10, width - nameWidth),
    ).map((dots, row) => `${(row === 0 ? name : '').padEnd(nameWidth)}${dots}`),
  )
  const words = new Set<string>(run.scenarios.flatMap(({ trials }) => trials.map(word)))
  const legend = Object.entries(CHARACTERS)
    .filter(([name]) => words.has(name))
    .map(([name, character]) => `${character} ${name}`)
  return `${[...lines, ...(legend.length === 0 ? [] : ['', legend.join('  ')]), '', judgeGate(run).line].join('\n')}\n`
}
