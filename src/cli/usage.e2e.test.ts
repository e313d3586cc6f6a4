/** What is wrong with a command line, a scenario or a target is said in one clear message, before anything runs. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { cli } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'

const HELP = '(lightning-chaos --help shows every command)\n'
const cwd = freshPath()

beforeAll(async () => {
  await mkdir(cwd)
  const write = (name: string, text: string | Buffer) => writeFile(path.join(cwd, name), text)
  await mkdir(path.join(cwd, 'directory.yaml'))
  await write('empty.yaml', '')
  await write('large.yaml', Buffer.alloc(100 * 1024 * 1024))
  await write('binary.yaml', Buffer.from([0x6e, 0xff, 0x00]))
  await write('tab.yaml', 'name: a/b\nvolume:\n\tkind: tmpfs\n')
  const scenario = (size: string, more = '') =>
    `name: a/b\ntitle: t\nwhy: w\nvolume: { kind: tmpfs, size: ${size} }\ntimeline: [{ do: inject, fault: ballast }]\n${more}`
  await write('negative.yaml', scenario('-4MiB'))
  await write('one-byte.yaml', scenario('1B'))
  await write('unknown-key.yaml', scenario('4MiB', 'colour: red\n'))
  await write('target.yaml', 'command: [node]\nbogus: 1\n')
})

describe('exits 2 and says what is wrong with', () => {
  test.each<[what: string, args: string[], stderr: string]>([
    ['an unknown verb', ['rum'], `error: unknown command 'rum'\n(Did you mean run?)\n${HELP}`],
    ['an unknown option', ['run', '--nope'], `error: unknown option '--nope'\n${HELP}`],
    ['a missing argument', ['show'], `error: missing required argument 'scenario'\n${HELP}`],
    [
      'an unknown scenario',
      ['run', 'diskful'],
      "error: no scenario is called 'diskful'\nhint: did you mean diskfull?\n",
    ],
    [
      '--trials 0',
      ['run', '--trials', '0'],
      `error: option '--trials <n>' argument '0' is invalid. Expected a whole number of at least 1.\n${HELP}`,
    ],
    [
      "--seed ''",
      ['run', '--seed', ''],
      `error: option '--seed <text>' argument '' is invalid. Expected 1 to 64 letters, digits, dots, dashes or underscores.\n${HELP}`,
    ],
    [
      'a time without its unit',
      ['run', '--timeout', '5'],
      `error: option '--timeout <duration>' argument '5' is invalid. Expected a duration with its unit, such as '500ms', '5s' or '2m'.\n${HELP}`,
    ],
    [
      'an unknown reporter',
      ['run', '--reporter', 'jsn'],
      "error: there is no reporter 'jsn'\nhint: did you mean json?\n",
    ],
    [
      'two reporters to stdout',
      ['run', '--reporter', 'json', '--reporter', 'table'],
      'error: json and table would both write to stdout\nhint: give each a file: --reporter table=FILE\n',
    ],
    [
      'two reporters to one file',
      ['run', '--reporter', 'json=/nonexistent/x', '--reporter', 'junit=/nonexistent/x'],
      'error: two reporters would write to /nonexistent/x, and only the last would be left\nhint: give each a file of its own\n',
    ],
    [
      '--quiet with --debug',
      ['run', '--quiet', '--debug'],
      `error: option '--quiet' cannot be used with option '--debug'\n${HELP}`,
    ],
    [
      'a report that would be a directory',
      ['run', '--output', 'directory.yaml'],
      'error: directory.yaml cannot be written: it is a directory\nhint: name a file in a directory that is there and may be written\n',
    ],
    [
      'a directory for --keep that cannot be made',
      ['run', '--keep', 'empty.yaml/kept'],
      `error: ${cwd}/empty.yaml/kept cannot be written to: ENOTDIR: not a directory, mkdir '${cwd}/empty.yaml/kept'\nhint: name a directory that may be written, or one that can be made\n`,
    ],
    [
      'a directory for a scenario',
      ['run', './directory.yaml'],
      'error: ./directory.yaml: is a directory, expected a scenario file\nhint: name one: directory.yaml/NAME.yaml\n',
    ],
    ['an empty scenario', ['run', './empty.yaml'], 'error: ./empty.yaml:1:1: the file is empty\n'],
    [
      'a scenario of 100 MB',
      ['run', './large.yaml'],
      'error: ./large.yaml: is 104857600 bytes long, expected at most 1048576\nhint: a scenario takes a few hundred bytes; is this the right file?\n',
    ],
    [
      'a binary scenario',
      ['run', './binary.yaml'],
      'error: ./binary.yaml: is not a text in UTF-8\nhint: a scenario is a YAML file, saved as UTF-8\n',
    ],
    [
      'a negative size',
      ['run', './negative.yaml'],
      "error: ./negative.yaml:4:30: found '-4MiB', expected a size in bytes, such as 4096, '64KiB' or '8MiB'\n",
    ],
    [
      'a size of 1 byte',
      ['run', './one-byte.yaml'],
      "error: ./one-byte.yaml:4:30: found '1B', expected at least 256 KiB, the least that tmpfs works with\n",
    ],
    [
      'two targets',
      ['run', '--target', 'lightning', '--target-cmd', 'node'],
      `error: option '--target-cmd <command>' cannot be used with option '--target <name>'\n${HELP}`,
    ],
    [
      'a target that is not there',
      ['run', '--target', 'lightnin'],
      "error: unknown target 'lightnin'; did you mean 'lightning'?\nhint: bundled are lightning, sqlite; a target file ends with .yaml, or has a slash in its path\n",
    ],
    [
      'a target file with an unknown key',
      ['run', '--target', './target.yaml'],
      "error: ./target.yaml:2:1: unknown key 'bogus', expected one of name, command, environment, contract\n",
    ],
    [
      'a quote that is never closed',
      ['run', '--target-cmd', "node 'x"],
      "error: the command line has a ' that is never closed, at character 6: node 'x\nhint: write '…' around an argument to take it as it is, or \\ before a single character\n",
    ],
    [
      'a program that is not there',
      ['run', 'diskfull/neighbour', '--target-cmd', 'nosuchprogram {dir}'],
      `error: cannot start the target 'nosuchprogram': ENOENT\nhint: check that 'nosuchprogram' is there, that the program its first line (#!) names is there too, and the directory ${cwd}\n`,
    ],
    [
      'a program that may not be executed',
      ['run', 'diskfull/neighbour', '--target-cmd', './target.yaml'],
      "error: cannot start the target './target.yaml': EACCES\nhint: make it executable (chmod +x './target.yaml'), and every directory above it open to the user that runs it\n",
    ],
    [
      'an unknown command of db',
      ['db', '.', 'nope'],
      "error: there is no command 'nope'\nhint: one of get, put, delete, scan, verify, compact, stats, salvage\n",
    ],
  ])('%s', async (_, args, stderr) => {
    const result = await cli(args, { cwd })
    expect({ exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr }).toEqual({
      exitCode: 2,
      stdout: '',
      stderr,
    })
  })

  test('a tab, with its line and column', async () => {
    const { exitCode, stderr } = await cli(['run', './tab.yaml'], { cwd })
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/^error: \.\/tab\.yaml:3:1: found a tab as indentation, expected spaces\n/)
  })

  test('an unknown key, with its line and column', async () => {
    const { exitCode, stderr } = await cli(['run', './unknown-key.yaml'], { cwd })
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/^error: \.\/unknown-key\.yaml:6:1: unknown key 'colour', expected one of name, /)
  })
})

test('exits 3 where TMPDIR is not there', async () => {
  const args = ['target', 'check', '--', process.execPath, 'target.js']
  const { exitCode, stderr } = await cli(args, { cwd, env: { TMPDIR: '/nonexistent' } })
  expect({ exitCode, stderr }).toEqual({
    exitCode: 3,
    stderr:
      'error: the directory for temporary files, /nonexistent, is not there\nhint: set TMPDIR to one that is\n',
  })
})
