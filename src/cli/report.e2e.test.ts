/** What is kept of a run, and what can be made of it afterwards. */
import { chmod, chown, mkdir, readdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { JsonReport } from '../report/json.js'
import { cli, IDENTITIES } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'

const ONE = ['run', 'diskfull/neighbour', '--trials', '1']
/** No target answers in a millisecond. */
const FAILS = [...ONE, '--seed', 'fails', '--timeout', '1ms', '--resume-timeout', '300ms']
const FOLDER = '.lightning-chaos'

/** A directory that everybody may write to. */
async function directory(mode = 0o777): Promise<string> {
  const made = freshPath()
  await mkdir(made)
  await chmod(path.dirname(made), 0o755)
  await chmod(made, mode)
  return made
}

async function savedIn(cwd: string): Promise<string[]> {
  return await readdir(path.join(cwd, FOLDER, 'runs'))
}

describe.each(IDENTITIES)('as $name', (as) => {
  test('a run is kept, and every report can be made again', async () => {
    const cwd = await directory()
    const options = { as, cwd, save: true }
    const { exitCode, stdout: table } = await cli(FAILS, options)
    expect(exitCode).toBe(1)
    const [id] = await savedIn(cwd)
    expect(id).toMatch(/^\d{8}T\d{6}\.\d{3}Z-fails$/)

    expect(await cli(['report'], options)).toMatchObject({ exitCode: 0, stdout: table, stderr: '' })
    const json = await cli(['report', id!.slice(0, 8), '--reporter', 'json=r.json'], options)
    expect(json).toMatchObject({ exitCode: 0, stdout: '', stderr: '' })
    const report = JSON.parse(await readFile(path.join(cwd, 'r.json'), 'utf8')) as JsonReport
    expect(report).toMatchObject({ schema: 1, seed: 'fails', gate: { met: false } })

    const [failed] = await readdir(path.join(cwd, FOLDER, 'runs', id!, 'failed'))
    const history = path.join(cwd, FOLDER, 'runs', id!, 'failed', failed!, 'history.jsonl')
    expect(await readFile(history, 'utf8')).toMatch(/^\{"type":/)
    expect((await cli(['report', '--list'], options)).stdout).toMatch(
      new RegExp(`^run +started .*\n${id} +20\\d\\d-.* UTC +.* FAIL 0\\.0%`),
    )
  })

  test('what was there before is no worse, and what is new is', async () => {
    const cwd = await directory()
    const options = { as, cwd, save: true }
    await cli(FAILS, options)
    const same = await cli([...FAILS, '--baseline', 'last'], options)
    expect(same.exitCode).toBe(0)
    expect(same.stdout).toMatch(
      /\nPASS 0\.0% \(0\/1\), nothing worse than in the baseline\n\ncompared with 2/,
    )

    await cli([...ONE, '--output', 'good.json', '--reporter', 'json'], options)
    const worse = await cli([...FAILS, '--baseline', 'good.json', '--reporter', 'json'], options)
    expect(worse.exitCode).toBe(1)
    expect((JSON.parse(worse.stdout) as JsonReport).baseline).toMatchObject({
      name: 'good.json',
      scenarios: [{ scenario: 'diskfull/neighbour', newViolations: expect.arrayContaining(['hung']) }],
    })
  })

  test('two runs at once are both kept', async () => {
    const cwd = await directory()
    const args = [...ONE, '--seed', 'same']
    const both = await Promise.all([1, 2].map(() => cli(args, { as, cwd, save: true })))
    expect(both.map(({ exitCode, stderr }) => [exitCode, stderr.includes('warning')])).toEqual([
      [0, false],
      [0, false],
    ])
    expect(await savedIn(cwd)).toHaveLength(2)
    const rates = await readFile(path.join(cwd, FOLDER, 'rates.jsonl'), 'utf8')
    expect(rates.trimEnd().split('\n')).toHaveLength(2)
    expect((await cli(ONE, { as, cwd })).stderr).toMatch(/^about \d+ s, from the last run\n/)
  })

  test('a folder that is a link elsewhere is not followed, and the run goes on', async () => {
    const cwd = await directory()
    await mkdir(path.join(cwd, 'elsewhere'), { mode: 0o777 })
    await symlink('elsewhere', path.join(cwd, FOLDER))
    const { exitCode, stderr } = await cli(ONE, { as, cwd, save: true })
    expect(exitCode).toBe(0)
    expect(stderr).toContain('warning: the result is not kept in .lightning-chaos: it is not a directory\n')
    expect(await readdir(path.join(cwd, 'elsewhere'))).toEqual([])
  })

  test('nothing is kept with --no-save', async () => {
    const cwd = await directory()
    expect((await cli([...ONE, '--no-save'], { as, cwd, save: true })).exitCode).toBe(0)
    expect(await readdir(cwd)).toEqual([])
  })
})

test('a directory that may not be written is no reason to fail', async () => {
  const cwd = await directory(0o555)
  const { exitCode, stdout, stderr } = await cli(ONE, { as: IDENTITIES.at(-1)!, cwd, save: true })
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/^PASS/m)
  expect(stderr).toContain(
    "warning: the result is not kept in .lightning-chaos: EACCES: permission denied, mkdir '.lightning-chaos'\n",
  )
})

test.runIf(process.geteuid?.() === 0)("root's run in somebody else's directory leaves theirs", async () => {
  const cwd = await directory(0o755)
  await chown(cwd, 65534, 65534)
  expect(await cli(ONE, { cwd, save: true })).toMatchObject({
    exitCode: 0,
    stderr: expect.not.stringContaining('warning'),
  })
  expect((await stat(path.join(cwd, FOLDER, 'last'))).uid).toBe(65534)
})

describe('what cannot be reported is explained', () => {
  test.each([
    [
      ['report'],
      'error: no run is kept in this directory\nhint: lightning-chaos run keeps its result in the directory that it runs in\n',
    ],
    [['report', './x'], 'error: ./x: no such file, and no directory with a result.json in it\n'],
    [
      ['run', '--baseline', 'x.json'],
      'error: x.json: no such file, and no directory with a result.json in it\n',
    ],
    [
      ['report', 'other.json'],
      'error: other.json: is not a result.json of lightning-chaos (result. Invalid input: expected object, received undefined)\n',
    ],
  ])('%j', async (args, stderr) => {
    const cwd = await directory()
    await writeFile(path.join(cwd, 'other.json'), '{"schema":1}')
    expect(await cli(args, { cwd })).toMatchObject({ exitCode: 2, stdout: '', stderr })
  })

  test('nor listed, in so many words', async () => {
    const cwd = await directory()
    const { exitCode, stdout } = await cli(['report', '--list'], { cwd })
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'no run is kept in this directory\n' })
  })
})

test('a run can be reported from where it was moved to', async () => {
  const cwd = await directory()
  const { stdout } = await cli(ONE, { cwd, save: true })
  const [id] = await savedIn(cwd)
  await rename(path.join(cwd, FOLDER, 'runs', id!), path.join(cwd, 'artifact'))
  expect((await cli(['report', 'artifact'], { cwd })).stdout).toBe(stdout)
  await cli(ONE, { cwd, save: true })
  expect((await cli(['report', '--list'], { cwd })).stdout).not.toContain(id)
})
