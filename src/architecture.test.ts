/** The walls between the rooms: who may import whom, and what the pure rooms may not touch. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const SOURCE = import.meta.dirname
const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter(
  (file) => /\.tsx?$/.test(file) && !file.endsWith('.test.ts') && !file.startsWith('testing/'),
)

interface Import {
  readonly from: string
  /** A file of ours, relative to src without its suffix, or the name of a package. */
  readonly to: string
  readonly typeOnly: boolean
}

const imports: Import[] = files.flatMap((from) => {
  const text = readFileSync(path.join(SOURCE, from), 'utf8')
  const found = text.matchAll(
    /^(?:import|export)\s+(type\s)?[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|import\('([^']+)'\)/gm,
  )
  return [...found].map(([, type, ...names]) => {
    const name = names.find((each) => each !== undefined)!
    const to = name.startsWith('.') ? path.join(path.dirname(from), name).replace(/\.js$/, '') : name
    return { from, to, typeOnly: type !== undefined }
  })
})

const room = (file: string) => file.split('/')[0]!
// a vendored library is a library
const isOurs = ({ to }: Import) =>
  (files.includes(`${to}.ts`) || files.includes(`${to}.tsx`)) && room(to) !== 'vendor'

test('the imports were found', () => {
  expect(imports.filter(isOurs).length).toBeGreaterThan(100)
})

test('lightning imports nothing of ours', () => {
  expect(
    imports.filter(
      (each) => room(each.from) === 'lightning' && isOurs(each) && room(each.to) !== 'lightning',
    ),
  ).toEqual([])
})

test('pure rooms touch no files, processes, clocks or chance', () => {
  const pure = (file: string) => ['workload', 'oracle', 'history', 'report'].includes(room(file))
  const effects = /^node:(fs|child_process|os|net|process|timers|worker_threads)/
  expect(imports.filter(({ from, to }) => pure(from) && effects.test(to))).toEqual([])
  for (const file of files.filter(pure)) {
    const text = readFileSync(path.join(SOURCE, file), 'utf8')
    expect(
      text.match(/\bMath\.random|\bDate\.now|\bnew Date\(\)|\bperformance\.now|\bprocess\.[a-z]/),
      file,
    ).toBeNull()
  }
})

test('only the command line prints, and nobody imports it', () => {
  const others = files.filter((file) => room(file) !== 'cli')
  expect(imports.filter(({ from, to }) => room(from) !== 'cli' && room(to) === 'cli')).toEqual([])
  for (const file of others) {
    expect(readFileSync(path.join(SOURCE, file), 'utf8').match(/\bconsole\./), file).toBeNull()
  }
})

test('a drill is judged and told from its record alone', () => {
  const effects = /^node:|child_process/
  for (const entry of ['drill/judge', 'drill/words', 'drill/result']) {
    expect(
      reachable(entry).filter((name) => effects.test(name)),
      entry,
    ).toEqual([])
  }
})

test('the page is told everything: nobody imports the viewer, and it takes types and timelines alone', () => {
  const pure = ['report', 'history']
  expect(imports.filter(({ from, to }) => room(from) !== 'viewer' && room(to) === 'viewer')).toEqual([])
  const taken = imports.filter(
    (each) => room(each.from) === 'viewer' && isOurs(each) && room(each.to) !== 'viewer',
  )
  expect(taken.length).toBeGreaterThan(3)
  expect(
    taken.filter(({ to, typeOnly }) => !pure.includes(room(to)) || (room(to) === 'report' && !typeOnly)),
  ).toEqual([])
})

test('results are kept without knowing how a run is made', () => {
  const known = ['results', 'report', 'oracle', 'history', 'scenario', 'errors.ts']
  const others = imports.filter(
    (each) => room(each.from) === 'results' && isOurs(each) && !known.includes(room(`${each.to}.ts`)),
  )
  expect(others).toEqual([])
})

test('what is loaded inside the sandbox stays light', () => {
  const heavy = ['zod', 'yaml', 'commander', 'chalk', 'execa', 'ora', 'cli-table3', 'tmp-promise']
  for (const entry of [
    'sandbox/inside',
    'sandbox/janitor',
    'target/adapters/lightning',
    'drill/watchdog',
    'drill/witness',
  ]) {
    expect(
      reachable(entry).filter((name) => heavy.includes(name)),
      entry,
    ).toEqual([])
  }
})

/** Everything that is loaded when a file is, ours and not ours. */
function reachable(entry: string): string[] {
  const seen = new Set([entry])
  for (const file of seen) {
    for (const { from, to, typeOnly } of imports) if (!typeOnly && from === `${file}.ts`) seen.add(to)
  }
  return [...seen]
}
