/** The report as Markdown, for a job's summary, a comment or an issue. */
import { judgeGate } from './gate.js'
import { groupReasons, groupViolations, groupWaived } from './groups.js'
import type { RunResult, ScenarioResult } from './result.js'
import { counted, countVerdicts, passRate, sumEvidence } from './stats.js'
import { oneLine, percent, plural } from './words.js'

/** Violations of one scenario that are told one by one. */
const MAX_VIOLATIONS = 5

export function renderMarkdown(run: RunResult): string {
  const { met, line } = judgeGate(run)
  const { target, isolation, seed, durationMs, tool } = run
  const facts = [
    `${target.name} ${target.version}`.trim(),
    `isolation ${isolation}`,
    `seed ${seed}`,
    `${(durationMs / 1000).toFixed(1)} s`,
  ]
  const blocks = [
    `### ${met ? '✅' : '❌'} ${tool.name}: ${literal(line)}`,
    facts.map(literal).join(', '),
    table(run.scenarios),
    ...run.scenarios.map(violations),
    notes(run),
  ]
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`
}

function table(scenarios: readonly ScenarioResult[]): string {
  if (scenarios.length === 0) return ''
  const head = ['scenario', 'volume', 'trials', 'passed', 'failed', 'inconclusive', 'skipped', 'errors']
  const rows = scenarios.map(({ name, volume, trials }) => {
    const counts = countVerdicts(trials)
    const { passed, failed, inconclusive, skipped, errors } = counts
    const rate = counted(counts) === 0 ? '-' : percent(passRate(counts), 1)
    const numbers = [trials.length, passed, failed, inconclusive, skipped, errors]
    return [literal(name), volume, ...numbers, rate, evidence(trials)]
  })
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  const alignment = ['---', '---', ...Array(7).fill('---:'), '---']
  return [line([...head, 'rate', 'evidence seen']), line(alignment), ...rows.map(line)].join('\n')
}

function evidence(trials: ScenarioResult['trials']): string {
  const seen = Object.entries(sumEvidence(trials)).map(([errno, { direct, probe }]) =>
    [errno, ...(direct > 0 ? [`direct ${direct}`] : []), ...(probe > 0 ? [`probe ${probe}`] : [])].join(' '),
  )
  return seen.join('<br>') || '-'
}

function violations(scenario: ScenarioResult): string {
  const groups = groupViolations(scenario)
  if (groups.length === 0) return ''
  const told = groups.slice(0, MAX_VIOLATIONS).map(({ kind, severity, summary, times, trials }) => {
    const often = times === 1 ? '' : `, ${times} times in ${plural(trials.length, 'trial')}`
    return `- **${kind}** (${severity}${often}): ${literal(oneLine(summary))}\n${fenced(trials[0].replay)}`
  })
  const left = groups.slice(MAX_VIOLATIONS).reduce((sum, { times }) => sum + times, 0)
  return [
    `#### ${literal(scenario.name)}`,
    '',
    ...told,
    ...(left === 0 ? [] : [`- … and ${left} more`]),
  ].join('\n')
}

function notes({ scenarios, target }: RunResult): string {
  const trials = scenarios.flatMap((scenario) => scenario.trials)
  const unsettled = groupReasons(trials).map(({ verdict, reason, trials: group }) => {
    const told = `- ${plural(group.length, 'trial')} ${verdict}: ${literal(oneLine(reason))}`
    return verdict === 'skipped' ? told : `${told}\n${fenced(group[0].replay)}`
  })
  const broken = new Map(groupWaived(trials).map(({ promise, times }) => [promise as string, times]))
  const waived = Object.entries(target.waived).map(([promise, reason]) => {
    const times = broken.get(promise)
    const what = times === undefined ? '' : `; broken ${plural(times, 'time')}`
    return `- waived by the contract: ${promise} (${literal(oneLine(reason))})${what}`
  })
  return [...unsettled, ...waived].join('\n')
}

/** A block of code, inside an item of a list, that holds any text: its fence is longer than every run of backticks in it. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  return `  ${fence}sh\n  ${oneLine(text)}\n  ${fence}`
}

/** A text in which nothing is markup: https://spec.commonmark.org/0.31.2/#backslash-escapes */
function literal(text: string): string {
  return text.replace(/[\\`*_[\]<>|~#&@]/g, (character) => `\\${character}`)
}
