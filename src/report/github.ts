/**
 * Annotations for GitHub Actions: workflow commands on stdout
 * (https://docs.github.com/actions/reference/workflow-commands-for-github-actions).
 */
import { judgeGate } from './gate.js'
import { groupReasons, groupViolations } from './groups.js'
import type { RunResult } from './result.js'
import { plural } from './words.js'

type Level = 'error' | 'warning' | 'notice'

interface Annotation {
  readonly level: Level
  readonly title: string
  readonly text: string
}

/** GitHub shows so many annotations of a level from one step. */
const MOST_OF_A_LEVEL = 10

export function renderGithub(run: RunResult): string {
  const { met, line } = judgeGate(run)
  const gate: Annotation = { level: met ? 'notice' : 'error', title: run.tool.name, text: line }
  const annotations = [gate, ...violations(run, met), ...unsettled(run)]
  return (['error', 'warning', 'notice'] as const)
    .flatMap((level) => limited(annotations.filter((each) => each.level === level)))
    .map(command)
    .join('')
}

/** What did not keep the gate from being met is no error. */
function violations({ scenarios }: RunResult, met: boolean): Annotation[] {
  return scenarios.flatMap((scenario) =>
    groupViolations(scenario).map(({ kind, severity, summary, times, trials }) => ({
      level: met ? 'warning' : 'error',
      title: `${kind} (${severity}) in ${scenario.name}`,
      text: `${summary}${times === 1 ? '' : `, ${times} times in ${plural(trials.length, 'trial')}`}\n${trials[0].replay}`,
    })),
  )
}

function unsettled({ scenarios }: RunResult): Annotation[] {
  const trials = scenarios.flatMap((scenario) => scenario.trials)
  return groupReasons(trials).map(({ verdict, reason, trials: group }) => ({
    level: verdict === 'skipped' ? 'notice' : 'warning',
    title: `${plural(group.length, 'trial')} ${verdict}`,
    text: `${reason} (${[...new Set(group.map(({ scenario }) => scenario))].join(', ')})`,
  }))
}

function limited(annotations: readonly Annotation[]): readonly Annotation[] {
  if (annotations.length <= MOST_OF_A_LEVEL) return annotations
  const shown = annotations.slice(0, MOST_OF_A_LEVEL - 1)
  const left = annotations.length - shown.length
  return [...shown, { level: shown[0]!.level, title: 'and more', text: `${left} more: see the table` }]
}

function command({ level, title, text }: Annotation): string {
  return `::${level} title=${data(title).replace(/:/g, '%3A').replace(/,/g, '%2C')}::${data(text)}\n`
}

function data(text: string): string {
  return text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A')
}
