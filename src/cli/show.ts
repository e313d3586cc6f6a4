import type { Style } from '../report/grid.js'
import { wrap } from '../report/words.js'
import { NEEDS } from '../sandbox/need.js'
import { CLOSING_ARC, describeTimeline, describeVolume, describeWorkload } from '../scenario/describe.js'
import { selectScenarios } from '../scenario/load.js'
import { faultsOf, needsOf } from '../scenario/needs.js'
import type { Scenario } from '../scenario/schema.js'
import type { Screen } from './screen.js'

export interface ShowOptions {
  readonly selectors: readonly string[]
  readonly json: boolean
}

/** `show`: everything about scenarios, in words; as JSON, what their files say with every default filled in. */
export async function show({ selectors, json }: ShowOptions, { out }: Screen): Promise<void> {
  const scenarios = (await selectScenarios(selectors)).map(({ scenario }) => scenario)
  out.write(
    json ? `${JSON.stringify(scenarios, null, 2)}\n` : scenarios.map((each) => page(each, out)).join('\n'),
  )
}

function page(scenario: Scenario, style: Style): string {
  const { name, title, why, bug, volume, workload, trials } = scenario
  const timeline = describeTimeline(scenario)
  const evidence = faultsOf(scenario).map(({ kind, errnos }) => `${kind}: ${errnos.join(' or ')}`)
  const needs = needsOf(scenario).map((need) => NEEDS[need].title)
  const sections: [head: string, lines: readonly string[]][] = [
    ['why', [why]],
    ['bug', bug === undefined ? [] : [bug.text, bug.link]],
    ['volume', [describeVolume(volume)]],
    ['workload', [describeWorkload(workload)]],
    [
      'timeline',
      [
        'start the target and open the data directory',
        ...timeline,
        `then, as in every scenario: ${CLOSING_ARC}`,
      ],
    ],
    ['evidence', evidence],
    ['needs', needs],
    ['trials', [`${trials}, unless --trials says otherwise`]],
  ]
  const body = sections.flatMap(([head, lines]) => section(head, lines, style))
  return [`${style.chalk.bold(name)}  ${title}`, '', ...body, ''].join('\n')
}

const INDENT = 10

function section(head: string, lines: readonly string[], { chalk, width }: Style): string[] {
  const wrapped = lines.flatMap((line) => hanging(line, width - INDENT))
  return wrapped.map(
    (line, index) => `${index === 0 ? chalk.cyan(head.padEnd(INDENT)) : ' '.repeat(INDENT)}${line}`,
  )
}

/** Keeps a line's own indentation, and goes on two columns further in. */
function hanging(line: string, width: number): string[] {
  const own = line.length - line.trimStart().length
  return wrap(line.trim(), width - own - 2).map(
    (part, index) => ' '.repeat(index === 0 ? own : own + 2) + part,
  )
}
