/** The config of a project, and what comes before it. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { cli } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'

async function project(config: string, name = 'lightning-chaos.config.yaml'): Promise<string> {
  const cwd = freshPath()
  await mkdir(cwd)
  await writeFile(path.join(cwd, name), config)
  return cwd
}

/** The printed settings, by name: their value, and where it comes from. */
async function settings(cwd: string, args: readonly string[] = [], env: Record<string, string> = {}) {
  const { exitCode, stdout, stderr } = await cli(['run', '--print-config', ...args], { cwd, env })
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/))
  return Object.fromEntries(rows.map(([name, ...rest]) => [name, rest]))
}

const CONFIG = `
scenarios: [diskfull/neighbour, ./mine.yaml]
target: ./db.yaml
baseline: good.json
trials: 1
gate: 90
timeout: 2s
reporters: [table, junit=chaos.xml]
`

test('the command line comes before the environment, that before the config, that before the defaults', async () => {
  const cwd = await project(CONFIG)
  const env = { LIGHTNING_CHAOS_TRIALS: '7', LIGHTNING_CHAOS_GATE: '80' }
  const FILE = 'lightning-chaos.config.yaml'
  expect(await settings(cwd, ['--gate', '70'], env)).toMatchObject({
    scenarios: ['diskfull/neighbour, ./mine.yaml', FILE],
    target: ['./db.yaml', FILE],
    baseline: ['./good.json', FILE],
    trials: ['7', 'environment, LIGHTNING_CHAOS_TRIALS'],
    gate: ['70%', 'command line'],
    timeout: ['2000 ms', FILE],
    'trial-timeout': ['60000 ms', 'default'],
    reporter: ['table, junit=./chaos.xml', FILE],
    seed: ['-', 'default'],
  })
  expect(await settings(cwd, ['diskfull', '--target-cmd', 'x'])).toMatchObject({
    scenarios: ['diskfull', 'command line'],
    target: ['-', 'default'],
  })
  expect(await settings(cwd, ['--no-config'])).toMatchObject({
    scenarios: ['every built-in one', 'default'],
    gate: ['95%', 'default'],
  })
})

test('paths in a config are meant from where it is', async () => {
  const cwd = await project(CONFIG, 'other.yaml')
  await mkdir(path.join(cwd, 'below'))
  expect(await settings(path.join(cwd, 'below'), ['--config', '../other.yaml'])).toMatchObject({
    scenarios: ['diskfull/neighbour, ../mine.yaml', '../other.yaml'],
    target: ['../db.yaml', '../other.yaml'],
    baseline: ['../good.json', '../other.yaml'],
    reporter: ['table, junit=../chaos.xml', '../other.yaml'],
  })
})

test('run does what the config says', async () => {
  const cwd = await project('scenarios: [diskfull/neighbour]\ntrials: 1\nreporters: [dot]\nseed: mine\n')
  const { exitCode, stdout } = await cli(['run', '--quiet'], { cwd })
  expect({ exitCode, stdout }).toEqual({
    exitCode: 0,
    stdout: 'diskfull/neighbour  .\n\n. passed\n\nPASS 100.0% (1/1) >= 95%\n',
  })
})

describe('a known failure', () => {
  /** No target answers in a millisecond. */
  const FAILS = 'scenarios: [diskfull/neighbour]\ntrials: 1\ntimeout: 1ms\nresume-timeout: 300ms\n'
  const known = (expires: string) =>
    ['hung', 'no-recovery', 'open-failed', 'crashed', 'unreadable', 'lost-write'].map(
      (violation) =>
        `  - { scenario: diskfull, violation: ${violation}, reason: 'issue 12', expires: ${expires} }\n`,
    )

  test('is put up with to its day, and fails the gate after it', async () => {
    const cwd = await project(`${FAILS}known:\n${known('2999-12-31').join('')}`)
    const { exitCode, stdout } = await cli(['run'], { cwd })
    expect({ exitCode, stdout }).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/\nPASS \d known violations?\n$/),
    })
    expect(stdout).toMatch(/\nknown until 2999-12-31: \S+ in diskfull, \d times? \(issue 12\)\n/)

    await writeFile(
      path.join(cwd, 'lightning-chaos.config.yaml'),
      `${FAILS}known:\n${known('2020-01-31').join('')}`,
    )
    const late = await cli(['run'], { cwd })
    expect(late.exitCode).toBe(1)
    expect(late.stdout).toContain('known until 2020-01-31, which is over: hung in diskfull, ')
    expect(late.stdout).toMatch(/\nFAIL 0\.0% \(0\/1\) < 95%, .*known failures expired\n$/)
  })

  test.each([
    [
      "{ scenario: diskful, reason: 'x', expires: 2999-12-31 }",
      "no scenario is called 'diskful'\nhint: did you mean diskfull?\n",
    ],
    [
      "{ scenario: diskfull, reason: 'x', expires: soon }",
      "lightning-chaos.config.yaml:1:53: found 'soon', expected a day, such as 2030-01-31\n",
    ],
    [
      '{ scenario: diskfull, expires: 2999-12-31 }',
      "lightning-chaos.config.yaml:1:9: missing key 'reason', expected a text\n",
    ],
  ])('%s is a mistake', async (entry, message) => {
    const cwd = await project(`known: [${entry}]\n`)
    expect(await cli(['run'], { cwd })).toMatchObject({ exitCode: 2, stderr: `error: ${message}` })
  })
})

test.each([
  ['gate: 101\n', "1:7: found 101, expected a percentage from 0 to 100, such as '95'"],
  ['trials: 3\ngat: 90\n', "2:1: unknown key 'gat', did you mean gate?"],
  ['timeout: 5\n', "1:10: found 5, expected a duration with its unit, such as '500ms', '5s' or '2m'"],
  ['scenarios: []\n', '1:12: '],
])('%j is a mistake, with its line and column', async (config, message) => {
  const cwd = await project(config)
  const { exitCode, stdout, stderr } = await cli(['run'], { cwd })
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  expect(stderr).toContain(`error: lightning-chaos.config.yaml:${message}`)
})

test('a mistake in the environment names the variable, and a config that was named has to be there', async () => {
  const cwd = await project('')
  const env = { LIGHTNING_CHAOS_TRIALS: 'many' }
  expect((await cli(['run', '--no-config'], { cwd, env })).stderr).toContain(
    "error: LIGHTNING_CHAOS_TRIALS: found 'many', expected a whole number of at least 1\n",
  )
  const missing = await cli(['run', '--config', 'no.yaml'], { cwd })
  expect({ exitCode: missing.exitCode, stderr: missing.stderr }).toEqual({
    exitCode: 2,
    stderr:
      'error: no.yaml: no such file\nhint: --config names the config; without it lightning-chaos.config.yaml is read where it is there\n',
  })
})
