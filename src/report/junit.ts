/**
 * JUnit's XML, as Jenkins, GitLab and the readers for GitHub take it: a suite for each scenario, a case for each trial.
 * What is inconclusive counts against the gate, so it is a failure here too; what is known does not, so it counts as skipped.
 */
import { isFlaky, runsInWords, violationsOf } from './flaky.js'
import { judgeGate } from './gate.js'
import type { Known } from './known.js'
import type { RunResult, ScenarioResult, TrialResult } from './result.js'
import { keptSentences, violationSentence } from './sentences.js'
import { countVerdicts } from './stats.js'

type Attributes = Readonly<Record<string, string | number>>

export function renderJunit(run: RunResult): string {
  const { target, isolation, seed, tool } = run
  const { known, line } = judgeGate(run)
  const { skipped: _, ...all } = totals(
    run.scenarios.flatMap(({ trials }) => trials),
    known,
  )
  const part = run.shard === undefined ? {} : { shard: `${run.shard.index}/${run.shard.total}` }
  const facts = {
    gate: line,
    ...part,
    target: `${target.name} ${target.version}`.trim(),
    isolation,
    seed,
    tool: `${tool.name} ${tool.version}`,
  }
  const suites = run.scenarios.map((scenario) => suite(scenario, { startedAt: run.startedAt, facts, known }))
  const attributes = { name: tool.name, ...all, time: seconds(run.durationMs) }
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('testsuites', attributes, suites)}\n`
}

interface Context {
  readonly startedAt: string
  readonly facts: Attributes
  readonly known: Known
}

function suite({ name, trials }: ScenarioResult, { startedAt, facts, known }: Context): string {
  const time = trials.reduce((sum, { durationMs }) => sum + durationMs, 0)
  const attributes = {
    name,
    ...totals(trials, known),
    time: seconds(time),
    // without its zone: the schema's xs:dateTime of old readers has none, and it is UTC
    timestamp: startedAt.slice(0, 19),
  }
  return element('testsuite', attributes, [
    properties(facts),
    ...trials.map((trial) => testcase(trial, known)),
  ])
}

function totals(trials: readonly TrialResult[], known: Known) {
  const { failed, inconclusive, skipped, errors } = countVerdicts(trials)
  const excused = trials.filter(known.excuses).length
  return {
    tests: trials.length,
    failures: failed - excused + inconclusive,
    errors,
    skipped: skipped + excused,
  }
}

function testcase(trial: TrialResult, known: Known): string {
  const { scenario, seed, index, durationMs, replay } = trial
  const attributes = {
    // without its seed, which a new run changes: CI servers follow a case from run to run by its name
    name: `trial ${index}`,
    classname: scenario.replaceAll('/', '.'),
    time: seconds(durationMs),
  }
  const output = element('system-out', {}, [
    escapeXml([...broken(trial), replay, ...keptSentences(trial)].join('\n')),
  ])
  return element('testcase', attributes, [
    properties({
      seed: `${seed}.${index}`,
      replay,
      ...(isFlaky(trial) ? { flaky: runsInWords(trial) } : {}),
    }),
    ...outcome(trial, known),
    output,
  ])
}

function outcome(trial: TrialResult, known: Known): string[] {
  const { verdict, reason = '' } = trial
  if (known.excuses(trial)) {
    const excuses = violationsOf(trial).map((violation) => known.excuse(trial.scenario, violation)!)
    const reasons = new Set(excuses.map((excuse) => `known until ${excuse.expires}: ${excuse.reason}`))
    return [element('skipped', { message: [...reasons].join('; ') }, [])]
  }
  switch (verdict) {
    case 'passed':
      return []
    case 'skipped':
      return [element('skipped', { message: reason }, [])]
    case 'error':
      return [element('error', { message: reason, type: 'error' }, [])]
    case 'inconclusive':
      return [element('failure', { message: reason, type: 'inconclusive' }, [])]
    case 'failed': {
      const [first] = violationsOf(trial)
      const message = first === undefined ? reason : `${first.kind}: ${first.summary}`
      const body = escapeXml(broken(trial).join('\n'))
      return [element('failure', { message, type: first?.kind ?? 'failed' }, [body])]
    }
  }
}

function broken(trial: TrialResult): string[] {
  const flaky = isFlaky(trial) ? [`flaky: ${runsInWords(trial)}, all with the same seed`] : []
  return [...flaky, ...violationsOf(trial).map(violationSentence)]
}

function properties(values: Attributes): string {
  const each = Object.entries(values).map(([name, value]) => element('property', { name, value }, []))
  return element('properties', {}, each)
}

/** @param children XML: text has to be escaped */
function element(name: string, attributes: Attributes, children: readonly string[]): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(String(value))}"`)
  const start = `<${name}${written.join('')}`
  return children.length === 0 ? `${start}/>` : `${start}>${children.join('')}</${name}>`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
  '\t': '&#9;',
  '\r': '&#13;',
}
/** What XML 1.0 allows in no form at all: https://www.w3.org/TR/xml/#charsets */
const FORBIDDEN = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu

function escapeXml(text: string): string {
  return text.replace(FORBIDDEN, '\ufffd').replace(/[&<>"\n\t\r]/g, (character) => ENTITIES[character]!)
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3)
}
