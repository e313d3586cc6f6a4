/** The report for people: a table of the scenarios, what went wrong in words, and the gate. */
import type { ChalkInstance } from 'chalk'
import { type Gate, judgeGate } from './gate.js'
import { type Cell, type Column, renderGrid, type Style } from './grid.js'
import { groupReasons, groupViolations, groupWaived, type ViolationGroup } from './groups.js'
import type { EvidenceCount, RunResult, ScenarioResult, TrialResult } from './result.js'
import { type Counts, counted, countVerdicts, passRate, sumEvidence } from './stats.js'
import { oneLine, percent, plural, wrap } from './words.js'

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
  const facts = [`${target.name} ${target.version}`.trim(), `isolation ${isolation}`, `seed ${seed}`].map(
    oneLine,
  )
  const text = [...facts, `${(durationMs / 1000).toFixed(1)} s`].join(', ')
  return wrap(text, width).map((line) => chalk.dim(line))
}

interface ReportColumn extends Column {
  cell(row: Row, chalk: ChalkInstance): Cell
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
): ReportColumn {
  return {
    head,
    numeric: true,
    cell: ({ counts }, chalk) => ({
      text: String(count(counts)),
      paint: count(counts) === 0 ? chalk.dim : colour && chalk[colour],
    }),
    chunks: (text) => (text === 'inconclusive' ? ['incon-', 'clusive'] : [text]),
  }
}

const COLUMNS: readonly ReportColumn[] = [
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
    cell: ({ counts }, chalk) =>
      counted(counts) === 0
        ? { text: '-', paint: chalk.dim }
        : { text: percent(passRate(counts), 1), paint: passRate(counts) === 1 ? chalk.green : chalk.red },
  },
  {
    head: 'evidence seen',
    cell: ({ evidence }) => ({ text: Object.entries(evidence).map(evidenceText).join('\n') || '-' }),
    chunks: (text) => text.split(/(?= direct | probe | seen)/),
  },
]

function evidenceText([errno, { direct, probe }]: [string, { direct: number; probe: number }]): string {
  return `${errno}${direct > 0 ? ` direct ${direct}` : ''}${probe > 0 ? ` probe ${probe}` : ''}`
}

function scenarioTable(scenarios: readonly ScenarioResult[], style: Style): string[] {
  const rows = scenarios.map((scenario): Row => {
    return { scenario, counts: countVerdicts(scenario.trials), evidence: sumEvidence(scenario.trials) }
  })
  const anyError = rows.some(({ counts }) => counts.errors > 0)
  const columns = COLUMNS.filter(({ head }) => head !== 'errors' || anyError)
  const cells = rows.map((row) => columns.map((column) => column.cell(row, style.chalk)))
  return renderGrid(columns, cells, style)
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
    ...keptFiles(first).map((line) => `    ${line}`),
  ]
}

function keptFiles({ kept, notKept }: TrialResult): string[] {
  return [
    ...(kept === undefined ? [] : [`files kept in ${kept}`]),
    ...(notKept === undefined ? [] : [`files not kept in ${oneLine(notKept)}`]),
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
    if (verdict === 'skipped') return lines
    return [
      ...lines,
      `  ${chalk.dim(oneLine(group[0].replay))}`,
      ...keptFiles(group[0]).map((line) => `  ${line}`),
    ]
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
