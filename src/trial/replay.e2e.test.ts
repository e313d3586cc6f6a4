import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { Event } from '../history/events.js'
import type { JsonReport } from '../report/json.js'
import { splitCommandLine } from '../target/command-line.js'
import { cli } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'

/** No target answers in a millisecond. */
const FAILING = [
  'run',
  'diskfull/neighbour',
  '--trials',
  '1',
  '--timeout',
  '1ms',
  '--resume-timeout',
  '300ms',
]

/**
 * What the workload asked for up to the first read-back, in the order of its operations; answers may well come in another
 * order. How many operations there are after that is up to the kill that comes in their middle.
 */
async function operations(file: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
  const events = lines.map((line) => JSON.parse(line) as Event)
  const end = events.findIndex((event) => event.type === 'verify')
  const invoked = events.slice(0, end).filter((event) => event.type === 'invoke' && event.client >= 0)
  return invoked.map((event) => JSON.stringify('op' in event && event.op)).sort()
}

test('the line of a report runs the same trial again, with the same limits', async () => {
  const { stdout } = await cli([...FAILING, '--reporter', 'json'])
  const [line] = (JSON.parse(stdout) as JsonReport).scenarios[0]!.violations.map(({ replay }) => replay)
  const [npx, name, ...args] = splitCommandLine(line!)
  expect([npx, name, args[0], args.slice(-4)]).toEqual([
    'npx',
    'lightning-chaos',
    'replay',
    ['--timeout', '1ms', '--resume-timeout', '300ms'],
  ])
  const { exitCode, stdout: table } = await cli(args)
  expect(exitCode).toBe(1)
  expect(table).toContain(line!)
})

test('a trial has the same operations every time', async () => {
  const replay = ['replay', 'diskfull/neighbour', '--trial', '0123456789ab.3', '--history']
  const [first, second] = [freshPath(), freshPath()]
  const results = await Promise.all([cli([...replay, first]), cli([...replay, second])])
  expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0])
  const expected = await operations(first)
  expect(expected.length).toBe(600)
  expect(await operations(second)).toEqual(expected)
})
