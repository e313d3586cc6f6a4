/** The report for people: a table of the scenarios, what went wrong in words, and the gate. */
import type { ChalkInstance } from 'chalk'
import Table from 'cli-table3'
import { type Gate, judgeGate } from './gate.js'
import { groupReasons, groupViolations, groupWaived, type ViolationGroup } from './groups.js'
import type { EvidenceCount, RunResult, ScenarioResult } from './result.js'
import { type Counts, counted, countVerdicts, passRate, sumEvidence } from './stats.js'
import { fill, oneLine, percent, plural, wrap } from './words.js'

/** How a report may look. */
export interface Style {
  readonly chalk: ChalkInstance
  /** Columns of the terminal. */
  readonly width: number
}

/** Violations of one scenario that are told one by one. */
const MAX_VIOLATIONS = 5

export function renderTable(run: RunResult, style: Style): string {
  const gate = judgeGate(run)
  const blocks = [
    heading(run, style),
    ...(run.scenarios.length === 0 ? [] : [scenarioTable(run.scenarios, style)]),
    ...run.scenarios.map((scenario) => violations(scenario, style)),
    notes(run, style),
    gateLine(gate, style),
  ]
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n')
}

function heading({ target, isolation, seed, durationMs }: RunResult, { chalk, width }: Style): string[] {
  const facts = [
    `${target.name} ${target.version}`,
    `isolation ${isolation}`,
    `seed ${seed}`,
    `${(durationMs / 1000).toFixed(1)} s`,
  ]
  return fill(
    facts.map((fact, index) => oneLine(index === 0 ? fact : `, ${fact}`)),
    width,
  ).map((line) => chalk.dim(line))
}

interface Column {
  readonly head: string
  readonly numeric: boolean
  cell(row: Row): string
  /** Colours the cell. */
  paint?(chalk: ChalkInstance, row: Row): ChalkInstance
  /** Where the text may be broken if the table is too wide. */
  chunks?(text: string): string[]
}

interface Row {
  readonly scenario: ScenarioResult
  readonly counts: Counts
  readonly evidence: EvidenceCount
}

function number(
  head: string,
  count: (counts: Counts) => number,
  colour?: 'green' | 'red' | 'yellow' | 'cyan',
): Column {
  return {
    head,
    numeric: true,
    cell: ({ counts }) => String(count(counts)),
    paint: (chalk, { counts }) =>
      count(counts) === 0 ? chalk.dim : colour === undefined ? chalk : chalk[colour],
    chunks: (text) => (text === 'inconclusive' ? ['incon-', 'clusive'] : [text]),
  }
}

const COLUMNS: readonly Column[] = [
  {
    head: 'scenario',
    numeric: false,
    cell: ({ scenario }) => scenario.name,
    chunks: (text) => text.split(/(?<=[/-])/),
  },
  { head: 'volume', numeric: false, cell: ({ scenario }) => scenario.volume },
  number('trials', ({ trials }) => trials),
  number('passed', ({ passed }) => passed, 'green'),
  number('failed', ({ failed }) => failed, 'red'),
  number('inconclusive', ({ inconclusive }) => inconclusive, 'yellow'),
  number('skipped', ({ skipped }) => skipped, 'cyan'),
  number('errors', ({ errors }) => errors, 'red'),
  {
    head: 'rate',
    numeric: true,
    cell: ({ counts }) => (counted(counts) === 0 ? '-' : percent(passRate(counts), 1)),
    paint: (chalk, { counts }) =>
      counted(counts) === 0 ? chalk.dim : passRate(counts) === 1 ? chalk.green : chalk.red,
  },
  {
    head: 'evidence seen',
    numeric: false,
    cell: ({ evidence }) => Object.entries(evidence).map(evidenceText).join('\n') || '-',
    chunks: (text) => text.split(/(?= direct | probe | seen)/),
  },
]

function evidenceText([errno, { direct, probe }]: [string, { direct: number; probe: number }]): string {
  return `${errno}${direct > 0 ? ` direct ${direct}` : ''}${probe > 0 ? ` probe ${probe}` : ''}`
}

function scenarioTable(scenarios: readonly ScenarioResult[], { chalk, width }: Style): string[] {
  const rows = scenarios.map((scenario): Row => {
    return { scenario, counts: countVerdicts(scenario.trials), evidence: sumEvidence(scenario.trials) }
  })
  const anyError = rows.some(({ counts }) => counts.errors > 0)
  const columns = COLUMNS.filter(({ head }) => head !== 'errors' || anyError)
  const { gap, widths } = layout(columns, rows, width)
  const broken = (column: Column, text: string, index: number) =>
    text
      .split('\n')
      .flatMap((line) =>
        line.length <= widths[index]! ? [line] : fill(column.chunks?.(line) ?? [line], widths[index]!),
      )
      .join('\n')

  const table = new Table({
    head: columns.map((column, index) => chalk.bold(broken(column, column.head, index))),
    colAligns: columns.map(({ numeric }) => (numeric ? 'right' : 'left')),
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': gap },
  })
  for (const row of rows)
    table.push(
      columns.map((column, index) => {
        const text = broken(column, column.cell(row), index)
        return column.paint === undefined ? text : column.paint(chalk, row)(text)
      }),
    )
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
}

const NO_LINES = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
    .concat(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'])
    .map((name) => [name, '']),
)

/** Widths of the columns: as wide as their text, or, where that is too much, narrower where text can be broken. */
function layout(
  columns: readonly Column[],
  rows: readonly Row[],
  width: number,
): { gap: number; widths: number[] } {
  const widest = (lines: readonly string[]) => Math.max(...lines.map((line) => line.length))
  const lines = columns.map((column) => [column.head, ...rows.flatMap((row) => column.cell(row).split('\n'))])
  const natural = lines.map(widest)
  const least = columns.map((column, index) =>
    widest(lines[index]!.flatMap((line) => (column.chunks?.(line) ?? [line]).map((chunk) => chunk.trim()))),
  )
  const gaps = columns.length - 1
  const gap = sum(natural) + 2 * gaps <= width ? 2 : 1
  let surplus = sum(natural) + gap * gaps - width
  const widths = [...natural]
  // Heads of numbers first, then names, which read well when broken, and evidence last.
  for (const index of [...columns.keys()].sort(
    (a, b) => Number(columns[b]!.numeric) - Number(columns[a]!.numeric),
  )) {
    const less = Math.max(0, Math.min(surplus, widths[index]! - least[index]!))
    widths[index] = widths[index]! - less
    surplus -= less
  }
  return { gap, widths }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

function violations(scenario: ScenarioResult, style: Style): string[] {
  const groups = groupViolations(scenario)
  if (groups.length === 0) return []
  const left = groups.slice(MAX_VIOLATIONS)
  return [
    style.chalk.bold(scenario.name),
    ...groups.slice(0, MAX_VIOLATIONS).flatMap((group) => violation(group, style)),
    ...(left.length === 0 ? [] : [`  … and ${sum(left.map(({ times }) => times))} more`]),
  ]
}

function violation(
  { kind, severity, summary, times, trials }: ViolationGroup,
  { chalk, width }: Style,
): string[] {
  const [first] = trials
  const often = times === 1 ? '' : `, ${times} times in ${plural(trials.length, 'trial')}`
  const [begin, ...rest] = wrap(`${kind} (${severity}${often}): ${oneLine(summary)}`, width - 4)
  const paint = severity === 'data-loss' ? chalk.red : chalk.yellow
  return [
    `  ${paint(begin!.slice(0, kind.length))}${begin!.slice(kind.length)}`,
    ...rest.map((line) => `    ${line}`),
    `    ${chalk.dim(oneLine(first.replay))}`,
    ...(first.kept === undefined ? [] : [`    files kept in ${first.kept}`]),
  ]
}

/** What else has to be known to read the table rightly. */
function notes({ scenarios, target }: RunResult, { chalk, width }: Style): string[] {
  const trials = scenarios.flatMap((scenario) => scenario.trials)
  const note = (text: string) =>
    wrap(oneLine(text), width - 2).map((line, index) => (index === 0 ? line : `  ${line}`))
  const unsettled = groupReasons(trials).flatMap(({ verdict, reason, trials: group }) => {
    const names = [...new Set(group.map(({ scenario }) => scenario))].join(', ')
    const lines = note(
      `${plural(group.length, 'trial')} ${VERDICT_WORDS[verdict] ?? verdict}: ${reason} (${names})`,
    )
    return verdict === 'skipped' ? lines : [...lines, `  ${chalk.dim(oneLine(group[0].replay))}`]
  })
  const broken = new Map(groupWaived(trials).map((group) => [group.promise as string, group]))
  const waived = Object.entries(target.waived).flatMap(([promise, reason]) => {
    const group = broken.get(promise)
    const times = group === undefined ? '' : `; broken ${plural(group.times, 'time')}: ${group.summary}`
    return note(`waived by the contract: ${promise} (${reason})${times}`)
  })
  return [...unsettled, ...waived]
}

const VERDICT_WORDS: Readonly<Record<string, string>> = { error: 'ended in an error of the tool' }

function gateLine({ met, line }: Gate, { chalk }: Style): string[] {
  const paint = met ? chalk.green : chalk.red
  return [`${paint.bold(line.slice(0, 4))}${line.slice(4)}`]
}
