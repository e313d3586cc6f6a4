/** What the tool prints and writes, and what becomes of it when there is no room, no reader and no terminal. */
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import type { JsonReport } from '../report/json.js'
import { BIN, cli, IDENTITIES, ROOT } from '../testing/cli.js'
import { startContainer } from '../testing/container.js'
import { freshPath } from '../testing/directory.js'

const ONE = ['run', 'diskfull/neighbour', '--trials', '1']
const HANGS = `node ${path.join(ROOT, 'fixtures/misbehaving/hangs-at-open.js')}`
const FAILS = [...ONE, '--target-cmd', HANGS, '--timeout', '500ms', '--resume-timeout', '500ms']

/** A directory that everybody may write to. */
async function directory(name = 'db'): Promise<string> {
  const made = path.join(freshPath(), '..', name)
  await mkdir(made)
  await chmod(path.dirname(made), 0o755)
  await chmod(made, 0o777)
  return made
}

/** As a shell would run it. */
async function shell(command: string, cwd = '/') {
  const { exitCode, stdout, stderr } = await execa('bash', ['-o', 'pipefail', '-c', command], {
    cwd,
    reject: false,
    env: { RUN: `${process.execPath} ${BIN}` },
  })
  return { exitCode, stdout, stderr }
}

describe('a reader that has enough is no error', () => {
  test.each([['--help'], ['list'], ['list --json'], ['run --help']])('%s | head -1', async (args) => {
    const { exitCode, stderr } = await shell(`$RUN ${args} | head -1`)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  })
})

test('no room for the output is an error in one line', async () => {
  expect(await shell('$RUN list > /dev/full')).toEqual({
    exitCode: 3,
    stdout: '',
    stderr: 'error: the output could not be written: ENOSPC: no space left on device, write',
  })
  expect((await shell('$RUN --help > /dev/full')).exitCode).toBe(3)
  expect((await shell('$RUN list 2> /dev/full')).exitCode).toBe(0)
})

test('in GitHub Actions, annotations and a summary of the job come by themselves', async () => {
  const summary = path.join(await directory(), 'summary.md')
  await writeFile(summary, 'another step\n')
  const environment = { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: summary }
  const { exitCode, stdout } = await cli([...ONE, '--quiet'], { env: environment })
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/^::notice title=lightning-chaos::PASS 100.0%25 \(1\/1\) >= 95%25$/m)
  expect(await readFile(summary, 'utf8')).toMatch(/^another step\n### ✅ lightning-chaos: PASS 100.0%/)

  const unwritable = await cli([...ONE, '--quiet'], {
    env: { ...environment, GITHUB_STEP_SUMMARY: '/nonexistent/summary.md' },
  })
  expect(unwritable.exitCode).toBe(0)
  expect(unwritable.stderr).toMatch(/^warning: the job's summary could not be written: ENOENT/)

  const notices = async (...reporters: string[]) => {
    const args = [...ONE, '--quiet', ...reporters.flatMap((each) => ['--reporter', each])]
    return (await cli(args, { env: environment })).stdout.includes('::notice')
  }
  expect(await notices('dot')).toBe(false)
  expect(await notices('table', 'junit=/dev/null')).toBe(true)
  expect(await notices('junit=/dev/null')).toBe(true)
})

describe.each([
  [{}, false],
  [{ NO_COLOR: '1' }, false],
  [{ CI: '1' }, false],
  [{ FORCE_COLOR: '1' }, true],
] as const)('with %j in a pipe', (environment, coloured) => {
  test(`there are ${coloured ? 'colours' : 'no control characters'}`, async () => {
    const { all } = await execa(process.execPath, [BIN, 'show', 'diskfull/neighbour'], {
      all: true,
      extendEnv: false,
      env: { PATH: process.env.PATH!, ...environment },
    })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(/[\x00-\x09\x0b-\x1f]/.test(all)).toBe(coloured)
  })
})

describe('a report', () => {
  test('that finds no room is printed as a table, and the exit code says so', async () => {
    const container = await startContainer()
    try {
      await cli([], {
        as: { prefix: [...container.rootPrefix, 'sh', '-c', 'head -c 64m /dev/zero > /dev/shm/x; :'] },
      })
      const as = { prefix: container.rootPrefix }
      const { exitCode, stdout, stderr } = await cli([...ONE, '--output', '/dev/shm/report'], { as })
      expect(exitCode).toBe(3)
      expect(stdout).toMatch(/^PASS 100\.0% \(1\/1\) >= 95%$/m)
      expect(stderr).toContain('error: /dev/shm/report could not be written: ENOSPC: no space left on device')
      expect(container.memory()).toEqual(['x'])
    } finally {
      container.close()
    }
  })

  test('goes to a device or through a link as it is, and leaves nothing else beside it', async () => {
    const cwd = await directory()
    await writeFile(path.join(cwd, 'real.json'), 'old')
    await symlink('real.json', path.join(cwd, 'link.json'))
    const reporters = ['--reporter', 'json=link.json', '--reporter', 'table=/dev/null']
    expect((await cli([...ONE, ...reporters], { cwd })).exitCode).toBe(0)
    expect((await readdir(cwd)).sort()).toEqual(['link.json', 'real.json'])
    expect(JSON.parse(await readFile(path.join(cwd, 'real.json'), 'utf8'))).toMatchObject({ schema: 1 })
    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true)
  })
})

describe.each(IDENTITIES)('as $name', (as) => {
  test('two runs at once in one directory do not disturb each other', async () => {
    const cwd = await directory('with a space')
    const env = { TMPDIR: cwd }
    const args = [...ONE, '--reporter', 'json', '--output', 'report.json']
    const both = await Promise.all([cli(args, { as, cwd, env }), cli(args, { as, cwd, env })])
    expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0])
    expect(await readdir(cwd)).toEqual(['report.json'])
    const report = JSON.parse(await readFile(path.join(cwd, 'report.json'), 'utf8')) as JsonReport
    expect(report.gate.met).toBe(true)
  })

  test('--keep leaves the files to whoever asked for them, and says where', async () => {
    const cwd = await directory()
    const { exitCode, stdout } = await cli([...FAILS, '--seed', 'kept', '--keep'], { as, cwd })
    const kept = /files kept in (\S+)/.exec(stdout)?.[1] ?? ''
    expect(exitCode).toBe(1)
    expect(kept).toMatch(new RegExp(`^${cwd}/\\.lightning-chaos/kept/diskfull/neighbour-[0-9a-f]{12}$`))
    const owner = Number(
      execFileSync(as.prefix[0] ?? 'id', [
        ...as.prefix.slice(1),
        ...(as.prefix.length > 0 ? ['id'] : []),
        '-u',
      ]),
    )
    expect((await stat(kept)).uid).toBe(owner)
  })

  test('--keep keeps nothing of trials that passed', async () => {
    const cwd = await directory()
    expect((await cli([...ONE, '--keep', 'kept'], { as, cwd })).exitCode).toBe(0)
    expect(await readdir(cwd)).toEqual([])
  })

  test('--bail stops early, and the gate says that the run is not complete', async () => {
    const args = [...FAILS, '--trials', '9', '--workers', '1', '--bail', '--reporter', 'json']
    const { exitCode, stdout } = await cli(args, { as })
    const { complete, scenarios } = JSON.parse(stdout) as JsonReport
    expect({ exitCode, complete, failed: scenarios[0]?.failed }).toEqual({
      exitCode: 1,
      complete: false,
      failed: 1,
    })
  })
})
