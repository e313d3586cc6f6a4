/** From the result of a run to what the page of the HTML report shows. */
import { deflateRawSync } from 'node:zlib'
import { History } from './excerpt.js'
import { flakyTrials, violationsOf } from './flaky.js'
import { type Gate, judgeGate } from './gate.js'
import { groupReasons, groupViolations } from './groups.js'
import { logAround } from './log-excerpt.js'
import type { Page, PageDetails, PageScenario, PageTrial } from './page.js'
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
import { counted, countVerdicts, passRate, sumEvidence, wilsonInterval } from './stats.js'
import { evidenceText, summarise } from './summary.js'
import { oneLine, percent, visible } from './words.js'

/** Bytes that the details of all trials may take when they are deflated, so that a report of many failures stays small. */
const MOST_DETAILS = 256 * 1024
const CONFIDENCE = 0.95

export function pageOf(run: RunResult): Page {
  const gate = judgeGate(run)
  const { columns, rows } = summarise(run.scenarios)
  const details = new Budget()
  return {
    tool: `${run.tool.name} ${run.tool.version}`,
    startedAt: run.startedAt,
    facts: runFacts(run).map(oneLine),
    gate: { met: gate.met, line: gate.line, reasons: gate.reasons.map(oneLine), target: run.gate.target },
    counts: gate.counts,
    rate: rate(run, gate),
    comparison: comparison(run, gate),
    notes: notes(run, gate),
    columns: columns.map(({ head, numeric = false }) => ({ head, numeric })),
    scenarios: run.scenarios.map((scenario, index) => ({
      ...scenarioOf(scenario, gate, details),
      cells: rows[index]!.map(({ text, colour }) => ({ text, ...(colour === undefined ? {} : { colour }) })),
    })),
  }
}

function rate({ scenarios }: RunResult, { known }: Gate): Page['rate'] {
  const trials = scenarios.flatMap((scenario) => scenario.trials)
  const counts = countVerdicts(trials.filter((trial) => !known.excuses(trial)))
  if (counted(counts) === 0) return undefined
  const [low, high] = wilsonInterval(counts, CONFIDENCE)
  return {
    share: passRate(counts),
    low,
    high,
    text: `${percent(passRate(counts), 1)} (${counts.passed}/${counted(counts)})`,
    interval: `between ${percent(low, 1)} and ${percent(high, 1)} with ${percent(CONFIDENCE)} confidence`,
  }
}

function comparison({ gate: { baseline } }: RunResult, { differences }: Gate): string[] {
  if (baseline === undefined || differences === undefined) return []
  return comparisonSentences(baseline, differences).map(oneLine)
}

function notes(run: RunResult, { known }: Gate): string[] {
  const groups = groupReasons(run.scenarios.flatMap(({ trials }) => trials))
  return [
    ...groups.map((group) => `${reasonHeading(group)}: ${reasonSentence(group)}`),
    ...flakyTrials(run).map(flakySentence),
    ...waivedSentences(run),
    ...known.outcomes.map(knownSentence),
  ].map(oneLine)
}

function scenarioOf(scenario: ScenarioResult, gate: Gate, details: Budget): Omit<PageScenario, 'cells'> {
  const { name, title, trials } = scenario
  return {
    name,
    family: name.split('/')[0]!,
    title: oneLine(title),
    violations: groupViolations(scenario).map((group) => ({
      kind: group.kind,
      severity: group.severity,
      summary: oneLine(group.summary),
      often: howOften(group).replace(/^, /, ''),
      trial: idOf(group.trials[0]),
      ...excuse(gate, name, group),
    })),
    trials: trials.map((trial) => trialOf(trial, gate, details)),
  }
}

function trialOf(trial: TrialResult, gate: Gate, details: Budget): PageTrial {
  const { verdict, reason, durationMs, replay, judgement, timeline } = trial
  const { acked, refused, unknown, reads } = judgement?.operations ?? {}
  return {
    id: idOf(trial),
    verdict,
    ...(reason === undefined || verdict === 'failed' ? {} : { reason: oneLine(reason) }),
    durationMs,
    replay: visible(replay),
    kept: keptSentences(trial).map(visible),
    violations: violationsOf(trial).map((violation) => ({
      kind: violation.kind,
      severity: violation.severity,
      summary: oneLine(violation.summary),
      ...excuse(gate, trial.scenario, violation),
    })),
    waived: (judgement?.waived ?? []).map(({ promise, summary }) => oneLine(`${promise}: ${summary}`)),
    evidence: Object.entries(sumEvidence([trial]))
      .map(evidenceText)
      .join(', '),
    ...(judgement === undefined ? {} : { operations: [acked!, refused!, unknown!, reads!] as const }),
    ...(timeline === undefined ? {} : { timeline }),
    ...(trial.history === undefined ? {} : { details: details.take(detailsOf(trial)) }),
  }
}

function idOf({ seed, index }: TrialResult): string {
  return `${seed}.${index}`
}

function excuse({ known }: Gate, scenario: string, violation: Parameters<Gate['known']['excuse']>[1]) {
  const failure = known.excuse(scenario, violation)
  return failure === undefined ? {} : { known: oneLine(failure.reason) }
}

function detailsOf({ history = [], targetLog = '', judgement }: TrialResult): PageDetails {
  const violations = judgement?.violations ?? []
  const rows = new History(history)
  const told = violations.length > 0 ? violations : [{ at: history.length - 1, summary: '' }]
  const moments = violations.flatMap(({ at }) => history[at]?.time ?? [])
  return { excerpts: told.map((violation) => rows.around(violation)), log: logAround(targetLog, moments) }
}

/** Gives room to details as long as there is some. */
class Budget {
  #left = MOST_DETAILS

  take(details: PageDetails): PageDetails | null {
    const size = deflateRawSync(JSON.stringify(details)).length
    if (size > this.#left) return null
    this.#left -= size
    return details
  }
}
