/** The report as Markdown, for a job's summary, a comment or an issue. */
import { flakyTrials } from './flaky.js'
import { type Gate, judgeGate } from './gate.js'
import { foldViolations, groupReasons } from './groups.js'
import type { RunResult, ScenarioResult, TrialResult } from './result.js'
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
import { oneLine, visible } from './words.js'

export function renderMarkdown(run: RunResult): string {
  const gate = judgeGate(run)
  const { met, line } = gate
  const blocks = [
    `### ${met ? '✅' : '❌'} ${run.tool.name}: ${literal(line)}`,
    runFacts(run).map(prose).join(', '),
    table(run.scenarios),
    comparison(run, gate),
    ...run.scenarios.map((scenario) => violations(scenario, gate)),
    notes(run, gate),
  ]
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`
}

function table(scenarios: readonly ScenarioResult[]): string {
  if (scenarios.length === 0) return ''
  const { columns, rows } = summarise(scenarios)
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    line(columns.map(({ head }) => head)),
    line(columns.map(({ numeric }) => (numeric ? '---:' : '---'))),
    ...rows.map((row) => line(row.map(({ text }) => text.split('\n').map(literal).join('<br>')))),
  ].join('\n')
}

function comparison({ gate: { baseline } }: RunResult, { differences }: Gate): string {
  if (baseline === undefined || differences === undefined) return ''
  const [heading, ...sentences] = comparisonSentences(baseline, differences).map(prose)
  return [heading!, '', ...sentences.map((sentence) => `- ${sentence}`)].join('\n')
}

function violations(scenario: ScenarioResult, { known }: Gate): string {
  const { told, left } = foldViolations(scenario)
  if (told.length === 0) return ''
  return [
    `#### ${literal(scenario.name)}`,
    '',
    ...told.map((group) => {
      const { kind, severity, summary, trials } = group
      const remark = known.excuse(scenario.name, group) === undefined ? '' : ', known'
      return `- **${kind}** (${severity}${remark}${howOften(group)}): ${prose(summary)}\n${again(trials[0])}`
    }),
    ...(left === 0 ? [] : [`- … and ${left} more`]),
  ].join('\n')
}

function notes(run: RunResult, { known }: Gate): string {
  const trials = run.scenarios.flatMap((scenario) => scenario.trials)
  const unsettled = groupReasons(trials).map((group) => {
    const told = `- ${reasonHeading(group)}: ${prose(reasonSentence(group))}`
    return group.verdict === 'skipped' ? told : `${told}\n${again(group.trials[0])}`
  })
  const flaky = flakyTrials(run).map((trial) => `- ${prose(flakySentence(trial))}\n${again(trial)}`)
  const sentences = [...waivedSentences(run), ...known.outcomes.map(knownSentence)]
  return [...flaky, ...unsettled, ...sentences.map((sentence) => `- ${prose(sentence)}`)].join('\n')
}

/** Inside an item of a list: the command that runs a trial again, and where its files are. */
function again(trial: TrialResult): string {
  const kept = keptSentences(trial).map((sentence) => `\n\n  ${literal(visible(sentence))}`)
  return `${fenced(visible(trial.replay))}${kept.join('')}`
}

/** A block of code that holds any line: its fence is longer than every run of backticks in it. */
function fenced(line: string): string {
  const longest = Math.max(2, ...[...line.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  return `  ${fence}sh\n  ${line}\n  ${fence}`
}

function prose(text: string): string {
  return literal(oneLine(text))
}

/** A text in which nothing is markup: https://spec.commonmark.org/0.31.2/#backslash-escapes, and GitHub's `$` for formulas. */
function literal(text: string): string {
  return text.replace(/[\\`*_[\]<>|~#&@$]/g, (character) => `\\${character}`)
}
