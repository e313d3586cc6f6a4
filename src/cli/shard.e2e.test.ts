/** A run that is spread over machines, and put together again. */
import { chmod, mkdir, readdir, readFile, rename } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { JsonReport } from '../report/json.js'
import { cli } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'

const RUN = ['run', 'diskfull/neighbour', 'permissions/rotation', '--trials', '2', '--workers', '2']

async function directory(): Promise<string> {
  const made = freshPath()
  await mkdir(made)
  await chmod(path.dirname(made), 0o755)
  return made
}

describe('a run on three machines', () => {
  let cwd: string
  beforeAll(async () => {
    cwd = await directory()
    for (const index of ['1', '2', '3']) {
      const env = { GITLAB_CI: 'true', CI_NODE_INDEX: index, CI_NODE_TOTAL: '3', CI_PIPELINE_ID: '77' }
      const { exitCode, stdout, stderr } = await cli([...RUN], { cwd, env, save: true })
      expect(exitCode).toBe(0)
      expect(stderr).toMatch(
        new RegExp(`^shard ${index}/3 \\(CI_NODE_INDEX and CI_NODE_TOTAL\\): [12] of 4 trials\\n`),
      )
      expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
        `seed gitlab-77, shard ${index}/3 (CI_NODE_INDEX and CI_NODE_TOTAL), `,
      )
    }
  }, 120_000)

  test('is one result and one gate again, in any report, and is kept as a run', async () => {
    const merged = await cli(['merge', '--reporter', 'table', '--reporter', 'junit=x.xml'], { cwd })
    expect(merged).toMatchObject({ exitCode: 0, stderr: '' })
    expect(merged.stdout).toMatch(/seed gitlab-77, 3 shards, /)
    expect(merged.stdout).toMatch(/\nPASS 100\.0% \(4\/4\) >= 95%\n$/)
    expect(await readFile(path.join(cwd, 'x.xml'), 'utf8')).toContain(
      '<testsuites name="lightning-chaos" tests="4"',
    )

    const { stdout } = await cli(['report', 'last', '--reporter', 'json'], { cwd })
    const report = JSON.parse(stdout) as JsonReport
    expect(report).toMatchObject({ shards: 3, seed: 'gitlab-77', gate: { met: true } })
    // the trials are those that one machine would have run
    const whole = await cli([...RUN, '--seed', 'gitlab-77', '--reporter', 'json'], { cwd })
    const names = ({ scenarios }: JsonReport) => scenarios.map(({ name, trials }) => [name, trials])
    expect(names(report)).toEqual(names(JSON.parse(whole.stdout) as JsonReport))
  })

  test('is not put together where a part is missing, or there twice', async () => {
    const runs = path.join(cwd, '.lightning-chaos/runs')
    const parts = (await readdir(runs))
      .filter((name) => name.includes('+'))
      .map((name) => path.join(runs, name))
    expect(parts).toHaveLength(3)
    expect(await cli(['merge', ...parts.slice(1)], { cwd })).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: 'error: 1 shard missing: 1/3\nhint: without it nothing can be said of the whole run\n',
    })
    const env = { CI_NODE_INDEX: '1', CI_NODE_TOTAL: '3', GITLAB_CI: 'true', CI_PIPELINE_ID: '77' }
    const again = await directory()
    await cli(RUN, { cwd: again, env, save: true })
    const twice = await cli(['merge', ...parts, again], { cwd })
    expect(twice.exitCode).toBe(2)
    expect(twice.stderr).toMatch(/^error: shard 1\/3 is there more than once\n/)

    const other = await directory()
    await cli(RUN, { cwd: other, env: { ...env, CI_PIPELINE_ID: '78' }, save: true })
    const mixed = await cli(['merge', ...parts.slice(1), other], { cwd })
    expect(mixed.stderr).toMatch(
      /^error: these are not shards of one run: different seeds\n {2}gitlab-78 in /,
    )
    const chosen = await cli(['merge', ...parts, other, '--seed', 'gitlab-77', '--no-save'], { cwd })
    expect(chosen.exitCode).toBe(0)
  })

  test('can be put together elsewhere, from one directory with a directory for each part', async () => {
    const runs = path.join(cwd, '.lightning-chaos/runs')
    const elsewhere = await directory()
    for (const name of (await readdir(runs)).filter((each) => each.includes('+')))
      await rename(path.join(runs, name), path.join(elsewhere, `artifact-${name}`))
    const { exitCode, stdout } = await cli(['merge', '.', '--reporter', 'dot'], { cwd: elsewhere })
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^diskfull\/neighbour {4}\.\.\npermissions\/rotation {2}\.\.\n/)
  })
})

describe('what makes no sense is said before anything runs', () => {
  test.each<[string, string[], Record<string, string>, string]>([
    [
      'no seed',
      ['--shard', '2/4'],
      {},
      'error: shard 2/4 (--shard) needs a seed that all shards have\nhint: give each the same: --seed TEXT, or LIGHTNING_CHAOS_SEED\n',
    ],
    [
      'shard 0',
      ['--shard', '0/4'],
      {},
      "error: option '--shard <i/n>' argument '0/4' is invalid. Expected i/n with i from 1 to n, such as '2/4'.\n(lightning-chaos --help shows every command)\n",
    ],
    [
      'more shards than trials',
      ['--shard', '2/9', '--seed', 'x'],
      {},
      'error: 9 shards for 4 trials: some would have nothing to do\nhint: use fewer shards, or more trials: --trials N\n',
    ],
    [
      'a variable that is wrong',
      [],
      { LIGHTNING_CHAOS_SHARD: '5/4' },
      "error: LIGHTNING_CHAOS_SHARD: found '5/4', expected i/n with i from 1 to n, such as '2/4'\n",
    ],
  ])('%s', async (_, args, env, stderr) => {
    expect(await cli([...RUN, ...args], { env })).toMatchObject({ exitCode: 2, stdout: '', stderr })
  })

  test('nothing to merge', async () => {
    const cwd = await directory()
    expect(await cli(['merge'], { cwd })).toMatchObject({
      exitCode: 2,
      stderr: 'error: .lightning-chaos: no such file, and no directory with a result.json in it\n',
    })
  })
})

test('which shard it is, and its seed, are settings like any other', async () => {
  const engine = { CIRCLECI: 'true', CIRCLE_NODE_INDEX: '1', CIRCLE_NODE_TOTAL: '4', CIRCLE_WORKFLOW_ID: 'w' }
  const printed = async (args: string[], env: Record<string, string>) => {
    const { stdout } = await cli(['run', '--print-config', ...args], { env })
    const rows = stdout.split('\n').map((line) => line.split(/ {2,}/))
    return Object.fromEntries(
      rows.filter(([name]) => name === 'shard' || name === 'seed').map(([name, ...rest]) => [name, rest]),
    )
  }
  expect(await printed([], engine)).toEqual({
    shard: ['2/4', 'environment, CIRCLE_NODE_INDEX and CIRCLE_NODE_TOTAL'],
    seed: ['circleci-w', 'environment, CIRCLE_WORKFLOW_ID'],
  })
  expect(await printed(['--seed', 'mine'], { ...engine, LIGHTNING_CHAOS_SHARD: '1/3' })).toEqual({
    shard: ['1/3', 'environment, LIGHTNING_CHAOS_SHARD'],
    seed: ['mine', 'command line'],
  })
  expect(await printed(['--no-shard'], engine)).toEqual({
    shard: ['no', 'command line'],
    seed: ['-', 'default'],
  })
})
