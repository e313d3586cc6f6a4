/** `--repeat-each`: the same trial several times, and what becomes of one that does not always end alike. */
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { JsonReport } from '../report/json.js'
import { cli, ROOT } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'

const ONE = ['run', 'diskfull/neighbour', '--trials', '1', '--workers', '1', '--seed', 'again']

/** A database that refuses every write, unless its data is where the first one that ever ran here had it. */
async function worksTheFirstTime(): Promise<{ cwd: string; command: string }> {
  const cwd = freshPath()
  await mkdir(cwd)
  await chmod(path.dirname(cwd), 0o755)
  await chmod(cwd, 0o777)
  const adapter = path.join(cwd, 'adapter.mjs')
  const text = `
import { readFileSync, writeFileSync } from 'node:fs'
import { Store, StoreError } from '${ROOT}fixtures/broken/base.js'
import { serve } from '${ROOT}fixtures/broken/serve.js'
const [directory, mark] = [process.argv[2], '${cwd}/first']
try {
  writeFileSync(mark, directory, { flag: 'wx' })
} catch {} // not the first
class Flaky extends Store {
  append(changes) {
    if (readFileSync(mark, 'utf8') !== directory) throw new StoreError('internal', 'not again')
    super.append(changes)
  }
}
serve(new Flaky())
`
  await writeFile(adapter, text)
  return { cwd, command: `node ${adapter} {dir}` }
}

test('a trial that ends in another way with the same seed is flaky, and counts as failed', async () => {
  const { cwd, command } = await worksTheFirstTime()
  const args = [
    '--target-cmd',
    command,
    '--resume-timeout',
    '300ms',
    '--repeat-each',
    '3',
    '--keep',
    'kept',
    '--reporter',
    'json',
  ]
  const { exitCode, stdout } = await cli([...ONE, ...args], { cwd })
  const { repeatEach, flaky, scenarios, gate } = JSON.parse(stdout) as JsonReport
  expect(exitCode).toBe(1)
  expect(repeatEach).toBe(3)
  expect(flaky?.[0]?.runs.map(({ verdict }) => verdict)).toEqual(['passed', 'failed', 'failed'])
  expect(scenarios[0]).toMatchObject({ trials: 1, passed: 0, failed: 1 })
  expect(gate.met).toBe(false)
  // each run keeps its files in a place of its own
  const seed = flaky![0]!.trial
  expect((await readdir(path.join(cwd, 'kept/diskfull'))).sort()).toEqual([
    `neighbour-${seed}~2`,
    `neighbour-${seed}~3`,
  ])
})

test('what always ends alike is not flaky, and is one trial', async () => {
  const { exitCode, stdout } = await cli([...ONE, '--repeat-each', '2'])
  expect(exitCode).toBe(0)
  expect(stdout).toContain('each trial 2 times')
  expect(stdout).toMatch(/\nPASS 100\.0% \(1\/1\) >= 95%\n$/)
})
