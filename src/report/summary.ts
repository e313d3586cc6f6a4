/** The table of the scenarios: its columns, and what is in them. How it is drawn is the reporter's. */
import type { Column } from './grid.js'
import type { EvidenceCount, ScenarioResult } from './result.js'
import { type Counts, counted, countVerdicts, passRate, sumEvidence } from './stats.js'
import { percent } from './words.js'

interface SummaryCell {
  /** One or more lines. */
  readonly text: string
  readonly colour?: 'dim' | 'green' | 'red' | 'yellow' | 'cyan' | undefined
}

export interface Summary {
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly SummaryCell[])[]
}

interface SummaryColumn extends Column {
  cell(row: Row): SummaryCell
}

interface Row {
  readonly scenario: ScenarioResult
  readonly counts: Counts
  readonly evidence: EvidenceCount
}

const COLUMNS: readonly SummaryColumn[] = [
  {
    head: 'scenario',
    cell: ({ scenario }) => ({ text: scenario.name }),
    chunks: (text) => text.split(/(?<=[/-])/),
  },
  { head: 'volume', cell: ({ scenario }) => ({ text: scenario.volume }) },
  number('trials', ({ trials }) => trials),
  number('passed', ({ passed }) => passed, 'green'),
  number('failed', ({ failed }) => failed, 'red'),
  number('inconclusive', ({ inconclusive }) => inconclusive, 'yellow'),
  number('skipped', ({ skipped }) => skipped, 'cyan'),
  number('errors', ({ errors }) => errors, 'red'),
  {
    head: 'rate',
    numeric: true,
    cell: ({ counts }) =>
      counted(counts) === 0
        ? { text: '-', colour: 'dim' }
        : { text: percent(passRate(counts), 1), colour: passRate(counts) === 1 ? 'green' : 'red' },
  },
  {
    head: 'evidence seen',
    cell: ({ evidence }) => ({ text: Object.entries(evidence).map(evidenceText).join('\n') || '-' }),
    chunks: (text) => text.split(/(?= direct | probe | seen)/),
  },
]

function number(
  head: string,
  count: (counts: Counts) => number,
  colour?: SummaryCell['colour'],
): SummaryColumn {
  return {
    head,
    numeric: true,
    cell: ({ counts }) => ({
      text: String(count(counts)),
      colour: count(counts) === 0 ? 'dim' : colour,
    }),
    chunks: (text) => (text === 'inconclusive' ? ['incon-', 'clusive'] : [text]),
  }
}

/** 'ENOSPC direct 45 probe 2'. */
export function evidenceText([errno, { direct, probe }]: [
  string,
  { direct: number; probe: number },
]): string {
  return `${errno}${direct > 0 ? ` direct ${direct}` : ''}${probe > 0 ? ` probe ${probe}` : ''}`
}

/** A row for each scenario. There is a column of errors only where there are any. */
export function summarise(scenarios: readonly ScenarioResult[]): Summary {
  const rows = scenarios.map((scenario): Row => {
    return { scenario, counts: countVerdicts(scenario.trials), evidence: sumEvidence(scenario.trials) }
  })
  const anyError = rows.some(({ counts }) => counts.errors > 0)
  const columns = COLUMNS.filter(({ head }) => head !== 'errors' || anyError)
  return { columns, rows: rows.map((row) => columns.map((column) => column.cell(row))) }
}
