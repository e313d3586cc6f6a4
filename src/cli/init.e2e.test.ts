/** From an empty directory to a verdict. */
import { readdirSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { BIN, cli, IDENTITIES, ROOT } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'
import { Terminal } from '../testing/terminal.js'

const ordinary = IDENTITIES.at(-1)!
const CONFIG = 'lightning-chaos.config.yaml'
/** Of the built-in scenarios. */
const families = readdirSync(path.join(ROOT, 'scenarios')).sort()

/** A directory of a user, with what is there already: directories end with a slash. */
async function project(...names: readonly string[]): Promise<string> {
  const cwd = freshPath()
  await mkdir(cwd)
  await chmod(path.dirname(cwd), 0o755)
  await chmod(cwd, 0o777)
  for (const name of names)
    await (name.endsWith('/') ? mkdir(path.join(cwd, name)) : writeFile(path.join(cwd, name), 'theirs\n'))
  return cwd
}

async function files(cwd: string): Promise<string[]> {
  const entries = await readdir(cwd, { recursive: true, withFileTypes: true })
  const found = entries.filter((entry) => entry.isFile())
  return found.map((entry) => path.relative(cwd, path.join(entry.parentPath, entry.name))).sort()
}

test('init --yes in an empty directory, then run: a green verdict', async () => {
  const cwd = await project()
  const options = { as: ordinary, cwd }
  expect(await cli(['init', '--yes'], options)).toMatchObject({
    exitCode: 0,
    stderr: '',
    stdout: [
      'wrote  lightning-chaos.config.yaml  what a run does',
      'wrote  chaos/target.yaml            how the target is started, and what it promises',
      'wrote  chaos/adapter.mjs            a small database that works: put yours in its place',
      'wrote  chaos/ci.sh                  the check, for any other CI',
      'next:  npx lightning-chaos run\n',
    ].join('\n'),
  })
  const check = await cli(['target', 'check', '--target', './chaos/target.yaml'], options)
  expect(check.exitCode).toBe(0)
  expect(check.stdout).not.toContain('FAIL')

  const run = await cli(['run'], { ...options, env: { LIGHTNING_CHAOS_TRIALS: '1' } })
  expect(run.stdout).toMatch(/^my-database 1\.0, /)
  expect(run.stdout).toMatch(/\nPASS 100\.0% \((\d+)\/\1\) >= 95%\n$/)
  expect(run.exitCode).toBe(0)
})

test('an adapter in Python works as well, and is what a project in Python gets', async () => {
  const cwd = await project('pyproject.toml')
  const options = { as: ordinary, cwd }
  const scenarios = 'diskfull/neighbour,permissions/read-only-files'
  expect((await cli(['init', '--yes', '--scenarios', scenarios], options)).exitCode).toBe(0)
  expect(await files(cwd)).toContain('chaos/adapter.py')
  const check = await cli(['target', 'check', '--target', './chaos/target.yaml'], options)
  expect(check.stdout).not.toContain('FAIL')
  const run = await cli(['run'], { ...options, env: { LIGHTNING_CHAOS_TRIALS: '1' } })
  expect(run.stdout).toMatch(/\nPASS 100\.0% \(2\/2\) >= 95%\n$/)

  expect(
    (await cli(['init', '--yes', '--force', '--language', 'js', '--target', './js/t.yaml'], options))
      .exitCode,
  ).toBe(0)
  expect(await files(cwd)).toContain('js/adapter.mjs')
})

test('the options are the answers, and are in the config', async () => {
  const cwd = await project()
  const args = ['--target', 'lightning', '--scenarios', 'diskfull/open,*/chmod*,permissions/owner']
  const { exitCode, stderr } = await cli(['init', ...args, '--ci', 'none'], { cwd })
  expect({ exitCode, stderr }).toEqual({
    exitCode: 2,
    stderr: `error: no scenario matches '*/chmod*'\nhint: there is ${families.join(', ')}; lightning-chaos list shows every scenario\n`,
  })
  args[3] = 'diskfull/open,*/own*'
  const more = ['--ci', 'none', '--gate', '99.5', '--seed', '7']
  expect((await cli(['init', ...args, ...more], { cwd })).exitCode).toBe(0)
  expect(await files(cwd)).toEqual([CONFIG])
  const text = await readFile(path.join(cwd, CONFIG), 'utf8')
  expect(text).toMatch(
    /^# yaml-language-server: \$schema=node_modules\/lightning-chaos\/dist\/config\.schema\.json\n/,
  )
  expect(parse(text)).toEqual({
    target: 'lightning',
    scenarios: ['diskfull/open', '*/own*'],
    gate: 99.5,
    seed: '7',
  })
  const { stdout } = await cli(['run', '--print-config'], { cwd })
  expect(stdout).toMatch(/\nseed +7 +lightning-chaos\.config\.yaml\n/)
})

describe('the step for a CI', () => {
  test.each([
    [['.github/'], '.github/workflows/chaos.yml'],
    [['.gitlab-ci.yml'], 'chaos/gitlab-ci.yml'],
    [['.github/', '.gitlab-ci.yml'], '.github/workflows/chaos.yml'],
    [[], 'chaos/ci.sh'],
  ])('beside %j is %s', async (there, file) => {
    const cwd = await project(...there)
    expect((await cli(['init', '--yes', '--target', 'lightning'], { cwd })).exitCode).toBe(0)
    expect(await files(cwd)).toEqual([...there.filter((name) => !name.endsWith('/')), file, CONFIG].sort())
    const text = await readFile(path.join(cwd, file), 'utf8')
    expect(text).toMatch(/npx --yes lightning-chaos@\d+\.\d+\.\d+ run/)
    if (!file.endsWith('.sh'))
      expect(Object.keys(parse(text))).toContain(file.includes('gitlab') ? 'chaos' : 'jobs')
  })
})

describe('what is there already', () => {
  test('is not overwritten, and nothing else is written, unless --force says so', async () => {
    const cwd = await project(CONFIG, 'chaos/', 'chaos/ci.sh')
    expect(await cli(['init', '--yes'], { cwd })).toMatchObject({
      exitCode: 2,
      stderr: `error: ${CONFIG} and chaos/ci.sh are there already\nhint: nothing was written; --force overwrites\n`,
    })
    expect(await files(cwd)).toEqual(['chaos/ci.sh', CONFIG])
    expect(await readFile(path.join(cwd, CONFIG), 'utf8')).toBe('theirs\n')
    expect((await cli(['init', '--yes', '--force'], { cwd })).exitCode).toBe(0)
    expect(await readFile(path.join(cwd, CONFIG), 'utf8')).toContain('scenarios:')
  })

  test('is used where it is a target file, or an adapter', async () => {
    const cwd = await project('chaos/', 'chaos/adapter.mjs')
    expect((await cli(['init', '--yes'], { cwd })).exitCode).toBe(0)
    expect(await readFile(path.join(cwd, 'chaos/adapter.mjs'), 'utf8')).toBe('theirs\n')
    await writeFile(path.join(cwd, 'mine.yaml'), 'command: [node]\n')
    expect((await cli(['init', '--yes', '--force', '--target', './mine.yaml'], { cwd })).exitCode).toBe(0)
    expect(await readFile(path.join(cwd, 'mine.yaml'), 'utf8')).toBe('command: [node]\n')
    expect(parse(await readFile(path.join(cwd, CONFIG), 'utf8'))).toMatchObject({ target: './mine.yaml' })
  })

  test.runIf(process.geteuid?.() === 0)('and leads elsewhere is no way for root to go there', async () => {
    const cwd = await project()
    const elsewhere = await project()
    await execa('chown', ['65534:65534', cwd])
    await chmod(elsewhere, 0o755)
    await symlink(elsewhere, path.join(cwd, 'chaos'))
    const { exitCode, stderr } = await cli(['init', '--yes'], { cwd })
    expect(exitCode).toBe(3)
    expect(stderr).toMatch(/^error: chaos\/target\.yaml could not be written: EACCES/)
    expect(await files(elsewhere)).toEqual([])
  })
})

test('with nobody to ask, it says which options are missing', async () => {
  const cwd = await project()
  expect(await cli(['init', '--ci', 'none'], { cwd })).toMatchObject({
    exitCode: 2,
    stderr: `error: there is no terminal to ask in, and no --target, --scenarios\nhint: --yes takes --target ./chaos/target.yaml --scenarios diskfull,permissions\n`,
  })
  expect(await files(cwd)).toEqual([])
})

describe('in a terminal', () => {
  const start = (cwd: string) => new Terminal(`${process.execPath} ${BIN} init`, { cwd })

  test('it asks three questions, again where an answer makes no sense, and before it overwrites', async () => {
    const cwd = await project('chaos/', 'chaos/ci.sh', '.gitlab-ci.yml')
    const terminal = start(cwd)
    await terminal.see(/What is tested: .*\? \(\.\/chaos\/target\.yaml\) /)
    await terminal.type(
      '\n',
      new RegExp(`Which scenarios: ${families.join(', ')}, .*\\? \\(diskfull,permissions\\) `),
    )
    await terminal.type('diskful\n', /did you mean diskfull\?\r\nWhich scenarios: /)
    await terminal.type('diskfull/open\n', /Where does the check run: .*\? \(gitlab\) /)
    await terminal.type('shell\n', /chaos\/ci\.sh is there already\. Overwrite it\? \(no\) /)
    expect(await terminal.end('\n')).toBe(0)
    expect(await readFile(path.join(cwd, 'chaos/ci.sh'), 'utf8')).toBe('theirs\n')
    expect(parse(await readFile(path.join(cwd, CONFIG), 'utf8'))).toMatchObject({
      target: './chaos/target.yaml',
      scenarios: ['diskfull/open'],
    })
  })

  test.each([
    ['Ctrl-C', '\x03', 130],
    ['Ctrl-D', '\x04', 2],
  ])('%s writes nothing', async (_, keys, code) => {
    const cwd = await project()
    const terminal = start(cwd)
    await terminal.see(/What is tested/)
    await terminal.type('\n', /Which scenarios/)
    expect(await terminal.end(keys)).toBe(code)
    expect(await files(cwd)).toEqual([])
  })
})
