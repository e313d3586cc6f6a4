/** The report of a self-test for people: the bugs, the correct targets, and the verdict. */
import type { ChalkInstance } from 'chalk'
import { atSpaces, type Cell, type Column, renderGrid, type Style } from '../report/grid.js'
import { oneLine, plural, wrap } from '../report/words.js'
import type { BrokenResult, CorrectResult, SelftestResult, Sight } from './result.js'

export function renderSelftest(result: SelftestResult, style: Style): string {
  const blocks = [
    [style.chalk.dim(heading(result))],
    result.broken.length === 0 ? [] : brokenTable(result.broken, style),
    result.correct.length === 0 ? [] : correctTable(result.correct, style),
    ...result.broken.map((each) =>
      each.outcome === 'missed' ? sights(`missed: ${each.name}`, each.instead, style) : [],
    ),
    ...result.correct.map((each) =>
      each.outcome === 'accused' ? sights(`accused: ${each.name}`, each.accusations, style) : [],
    ),
    notes(result, style),
    [verdict(result, style)],
  ]
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n')
}

function heading({ isolation, seed, durationMs }: SelftestResult): string {
  return `isolation ${isolation}, seed ${seed}, ${(durationMs / 1000).toFixed(1)} s`
}

const prose = (head: string): Column => ({ head, chunks: atSpaces })
const name = (head: string): Column => ({ head, chunks: (text) => text.split(/(?<=[/-])/) })

const COLOURS = {
  found: 'green',
  clean: 'green',
  missed: 'red',
  accused: 'red',
  skipped: 'cyan',
} as const satisfies Record<(BrokenResult | CorrectResult)['outcome'], keyof ChalkInstance>

function outcome({ outcome }: BrokenResult | CorrectResult, { chalk }: Style): Cell {
  return { text: outcome, paint: chalk[COLOURS[outcome]] }
}

function brokenTable(broken: readonly BrokenResult[], style: Style): string[] {
  const columns = [
    prose('a database that …'),
    prose('expected'),
    { head: 'result' },
    name('by'),
    { head: 'trials', numeric: true },
  ]
  const rows = broken.map((each): Cell[] => [
    { text: each.bug },
    { text: each.expects.join(' or ') },
    outcome(each, style),
    { text: each.outcome === 'found' ? each.scenario : '-' },
    { text: each.outcome === 'skipped' ? '-' : String(each.trials) },
  ])
  return renderGrid(columns, rows, style)
}

function correctTable(correct: readonly CorrectResult[], style: Style): string[] {
  const columns = [
    { head: 'correct target' },
    { head: 'result' },
    { head: 'trials', numeric: true },
    { head: 'passed', numeric: true },
  ]
  const rows = correct.map((each): Cell[] => [
    { text: each.outcome === 'skipped' ? each.name : oneLine(`${each.name} ${each.version}`) },
    outcome(each, style),
    ...(each.outcome === 'skipped' ? ['-', '-'] : [String(each.trials), String(each.passed)]).map((text) => ({
      text,
    })),
  ])
  return renderGrid(columns, rows, style)
}

function sights(title: string, all: readonly Sight[], { chalk, width }: Style): string[] {
  return [
    chalk.bold(title),
    ...all.flatMap(({ scenario, verdict, reason, replay }) => {
      const words = reason === undefined ? '' : `: ${oneLine(reason)}`
      const [begin, ...rest] = wrap(`${scenario} ${verdict}${words}`, width - 4)
      return [`  ${begin}`, ...rest.map((line) => `    ${line}`), `    ${chalk.dim(oneLine(replay))}`]
    }),
  ]
}

/** What was skipped, each reason once. */
function notes({ broken, correct }: SelftestResult, { width }: Style): string[] {
  const skips = [
    ...broken.flatMap((each) => (each.outcome === 'skipped' ? [{ what: each.name, why: each.why }] : [])),
    ...correct.flatMap((each) =>
      each.outcome === 'skipped'
        ? [{ what: each.name, why: each.why }]
        : each.skipped.map(({ scenario, why }) => ({ what: scenario, why })),
    ),
  ]
  return [...new Set(skips.map(({ why }) => why))].flatMap((why) => {
    const what = [...new Set(skips.filter((skip) => skip.why === why).map((skip) => skip.what))].join(', ')
    return wrap(oneLine(`skipped: ${why}: ${what}`), width - 2).map((line, index) =>
      index === 0 ? line : `  ${line}`,
    )
  })
}

function verdict({ met, complete, broken, correct }: SelftestResult, { chalk }: Style): string {
  const hunted = broken.filter((each) => each.outcome !== 'skipped')
  const found = hunted.filter((each) => each.outcome === 'found')
  const tried = correct.filter((each) => each.outcome !== 'skipped')
  const alarms = tried.flatMap((each) => each.accusations).length
  const trials = tried.reduce((sum, each) => sum + each.trials, 0)
  const parts = [
    ...(complete ? [] : ['interrupted']),
    ...(broken.length === 0 ? [] : [`${found.length} of ${plural(hunted.length, 'bug')} found`]),
    ...(correct.length === 0 ? [] : [`${plural(alarms, 'false alarm')} in ${plural(trials, 'trial')}`]),
  ]
  return `${met ? chalk.green.bold('PASS') : chalk.red.bold('FAIL')} ${parts.join(', ')}`
}
