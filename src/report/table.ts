/** The report for people: a table of the scenarios, what went wrong in words, and the gate. */
import { flakyTrials } from './flaky.js'
import { type Gate, judgeGate } from './gate.js'
import { renderGrid, type Style } from './grid.js'
import { foldViolations, groupReasons, type ViolationGroup } from './groups.js'
import type { RunResult, ScenarioResult } from './result.js'
import {
  comparisonSentences,
  flakySentence,
  howOften,
  keptSentences,
  knownSentence,
  reasonHeading,
  reasonSentence,
  runFacts,
  waivedSentences,
} from './sentences.js'
import { summarise } from './summary.js'
import { oneLine, visible, wrap } from './words.js'

export function renderTable(run: RunResult, style: Style): string {
  const gate = judgeGate(run)
  const blocks = [
    heading(run, style),
    ...(run.scenarios.length === 0 ? [] : [scenarioTable(run.scenarios, style)]),
    ...run.scenarios.map((scenario) => violations(scenario, gate, style)),
    notes(run, gate, style),
    gateLine(gate, style),
    comparison(run, gate, style),
  ]
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n')
}

function heading(run: RunResult, { chalk, width }: Style): string[] {
  return wrap(runFacts(run).map(oneLine).join(', '), width).map((line) => chalk.dim(line))
}

function scenarioTable(scenarios: readonly ScenarioResult[], style: Style): string[] {
  const { columns, rows } = summarise(scenarios)
  const cells = rows.map((row) =>
    row.map(({ text, colour }) => ({ text, paint: colour && style.chalk[colour] })),
  )
  return renderGrid(columns, cells, style)
}

function violations(scenario: ScenarioResult, { known }: Gate, style: Style): string[] {
  const { told, left } = foldViolations(scenario)
  if (told.length === 0) return []
  return [
    style.chalk.bold(scenario.name),
    ...told.flatMap((group) =>
      violation(group, known.excuse(scenario.name, group) === undefined ? '' : ', known', style),
    ),
    ...(left === 0 ? [] : [`  … and ${left} more`]),
  ]
}

function violation(group: ViolationGroup, remark: string, { chalk, width }: Style): string[] {
  const { kind, severity, summary, trials } = group
  const [first] = trials
  const [begin, ...rest] = wrap(
    `${kind} (${severity}${remark}${howOften(group)}): ${oneLine(summary)}`,
    width - 4,
  )
  const paint = severity === 'data-loss' ? chalk.red : chalk.yellow
  return [
    `  ${paint(begin!.slice(0, kind.length))}${begin!.slice(kind.length)}`,
    ...rest.map((line) => `    ${line}`),
    `    ${chalk.dim(visible(first.replay))}`,
    ...keptSentences(first).map((line) => `    ${visible(line)}`),
  ]
}

/** What else has to be known to read the table rightly. */
function notes(run: RunResult, { known }: Gate, { chalk, width }: Style): string[] {
  const trials = run.scenarios.flatMap((scenario) => scenario.trials)
  const note = (text: string) => hanging(text, width)
  const unsettled = groupReasons(trials).flatMap((group) => {
    const lines = note(`${reasonHeading(group)}: ${reasonSentence(group)}`)
    if (group.verdict === 'skipped') return lines
    const [first] = group.trials
    return [
      ...lines,
      `  ${chalk.dim(visible(first.replay))}`,
      ...keptSentences(first).map((line) => `  ${visible(line)}`),
    ]
  })
  const flaky = flakyTrials(run).flatMap((trial) => [
    ...note(flakySentence(trial)),
    `  ${chalk.dim(visible(trial.replay))}`,
  ])
  const sentences = [...waivedSentences(run), ...known.outcomes.map(knownSentence)]
  return [...flaky, ...unsettled, ...sentences.flatMap(note)]
}

/** A text on lines of which all but the first are indented. */
function hanging(text: string, width: number): string[] {
  return wrap(oneLine(text), width - 2).map((line, index) => (index === 0 ? line : `  ${line}`))
}

function gateLine({ met, line }: Gate, { chalk }: Style): string[] {
  const paint = met ? chalk.green : chalk.red
  return [`${paint.bold(line.slice(0, 4))}${line.slice(4)}`]
}

function comparison({ gate: { baseline } }: RunResult, { differences }: Gate, { width }: Style): string[] {
  if (baseline === undefined || differences === undefined) return []
  const [heading, ...sentences] = comparisonSentences(baseline, differences)
  const indented = sentences.flatMap((sentence) => hanging(sentence, width - 2).map((line) => `  ${line}`))
  return [...hanging(heading, width), ...indented]
}
