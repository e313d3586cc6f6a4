/**
 * Annotations for GitHub Actions: workflow commands on stdout
 * (https://docs.github.com/actions/reference/workflow-commands-for-github-actions).
 */

import { flakyTrials, violationsOf } from './flaky.js'
import { type Gate, judgeGate } from './gate.js'
import { groupReasons, groupViolations } from './groups.js'
import type { RunResult, TrialResult } from './result.js'
import {
  differenceSentence,
  flakySentence,
  howOften,
  keptSentences,
  reasonHeading,
  reasonSentence,
  violationSentence,
} from './sentences.js'
import { oneLine, plural, visible } from './words.js'

type Level = 'error' | 'warning' | 'notice'

interface Annotation {
  readonly level: Level
  readonly title: string
  readonly text: string
}

/** GitHub shows so many annotations of a level from one step. */
const MOST_OF_A_LEVEL = 10

export function renderGithub(run: RunResult): string {
  const gate = judgeGate(run)
  const verdict: Annotation = {
    level: gate.met ? 'notice' : 'error',
    title: run.tool.name,
    text: [gate.line, ...worse(gate)].join('\n'),
  }
  const annotations = [verdict, ...violations(run, gate), ...flaky(run), ...unsettled(run)]
  const shown = (['error', 'warning', 'notice'] as const).flatMap((level) =>
    limited(annotations.filter((each) => each.level === level)),
  )
  return [...shown.map(command), ...details(run)].map((text) => `${text}\n`).join('')
}

function worse({ differences = [] }: Gate): string[] {
  return differences.filter((each) => each.worse).map((each) => oneLine(differenceSentence(each)))
}

/** What did not keep the gate from being met is no error. */
function violations({ scenarios }: RunResult, { met, known }: Gate): Annotation[] {
  return scenarios.flatMap((scenario) =>
    groupViolations(scenario).map((group) => {
      const excuse = known.excuse(scenario.name, group)
      const remark = excuse === undefined ? '' : `, known until ${excuse.expires}: ${oneLine(excuse.reason)}`
      return {
        level: excuse !== undefined ? 'notice' : met ? 'warning' : 'error',
        title: `${group.kind} (${group.severity}) in ${scenario.name}`,
        text: `${oneLine(group.summary)}${howOften(group)}${remark}\n${visible(group.trials[0].replay)}`,
      }
    }),
  )
}

function flaky(run: RunResult): Annotation[] {
  return flakyTrials(run).map((trial) => ({
    level: 'warning',
    title: `flaky trial of ${trial.scenario}`,
    text: `${oneLine(flakySentence(trial))}\n${visible(trial.replay)}`,
  }))
}

function unsettled({ scenarios }: RunResult): Annotation[] {
  return groupReasons(scenarios.flatMap(({ trials }) => trials)).map((group) => ({
    level: group.verdict === 'skipped' ? 'notice' : 'warning',
    title: reasonHeading(group),
    text: oneLine(reasonSentence(group)),
  }))
}

function limited(annotations: readonly Annotation[]): readonly Annotation[] {
  if (annotations.length <= MOST_OF_A_LEVEL) return annotations
  const shown = annotations.slice(0, MOST_OF_A_LEVEL - 1)
  const left = annotations.length - shown.length
  return [
    ...shown,
    { level: shown[0]!.level, title: 'and more', text: `${left} more: see the log of this step` },
  ]
}

/** Every trial that proved something wrong, or nothing, folded away in the log. */
function details({ scenarios, tool }: RunResult): string[] {
  const trials = scenarios
    .flatMap((scenario) => scenario.trials)
    .filter(({ verdict }) => verdict !== 'passed' && verdict !== 'skipped')
  if (trials.length === 0) return []
  const title = `${tool.name}: ${plural(trials.length, 'trial')} that did not pass`
  return [`::group::${data(title)}`, ...trials.flatMap(detail).map(inert), '::endgroup::']
}

function detail(trial: TrialResult): string[] {
  const { scenario, seed, index, verdict, reason } = trial
  // of a trial that failed, the violations below it say more
  const why = reason === undefined || verdict === 'failed' ? '' : `: ${reason}`
  return [
    oneLine(`${verdict} ${scenario} ${seed}.${index}${why}`),
    ...violationsOf(trial).map((violation) => `  ${oneLine(violationSentence(violation))}`),
    `  ${visible(trial.replay)}`,
    ...keptSentences(trial).map((sentence) => `  ${visible(sentence)}`),
  ]
}

/** The runner also takes the old form of a command, `##[name]`, which may stand anywhere in a line. */
function inert(line: string): string {
  return line.replaceAll('##[', '#\\x23[')
}

function command({ level, title, text }: Annotation): string {
  return `::${level} title=${data(title).replace(/:/g, '%3A').replace(/,/g, '%2C')}::${data(text)}`
}

function data(text: string): string {
  return text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A')
}
