/** A trial on glass that did not pass leaves its trace, and the command line lists it. */
import { accessSync, constants, mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { cli, ROOT } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'

const target = `${process.execPath} ${path.join(ROOT, 'fixtures/broken/ignores-fsync-errors.js')} {dir}`
/** Why glass cannot be mounted here; undefined where it can. */
const missing = canOpen('/dev/fuse') ? undefined : '/dev/fuse may not be opened'

function canOpen(file: string): boolean {
  try {
    accessSync(file, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false // absent, or not ours
  }
}

test.skipIf(missing)(`the trace says which operation the fault failed (${missing ?? 'kept'})`, async () => {
  const keep = freshPath()
  mkdirSync(keep)
  const run = await cli(['run', 'io-error/sync', '--trials', '1', '--keep', keep, '--target-cmd', target])
  expect(run.exitCode, run.stderr).toBe(1)
  const file = readdirSync(keep, { recursive: true, encoding: 'utf8' }).find((name) =>
    name.endsWith('.trace'),
  )!
  const { stdout, exitCode } = await cli(['trace', path.join(keep, file)])
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/ms +\d+ {2}create +data "log"$/m)
  expect(stdout).toMatch(/ms +\d+ {2}write +data\/log {2}\d+ at \d+ {2}= \d+$/m)
  expect(stdout).toMatch(/ms +\d+ {2}fsync +data\/log {2}= EIO {2}\(rule 0\)$/m)
  const json = await cli(['trace', path.join(keep, file), '--json'])
  const failed = json.stdout.split('\n').filter((line) => line.includes('"errno":"EIO"'))
  expect(JSON.parse(failed[0]!)).toMatchObject({
    operation: 'fsync',
    path: 'data/log',
    errno: 'EIO',
    rule: 0,
  })
})

test.skipIf(missing)(`the trace has what was written, if asked (${missing ?? 'kept'})`, async () => {
  const keep = freshPath()
  mkdirSync(keep)
  const asked = ['run', 'io-error/sync', '--trials', '1', '--keep', keep, '--target-cmd', target]
  expect((await cli([...asked, '--trace-bytes'])).exitCode).toBe(1)
  const names = readdirSync(keep, { recursive: true, encoding: 'utf8' })
  const { stdout } = await cli([
    'trace',
    path.join(keep, names.find((name) => name.endsWith('.trace'))!),
    '--json',
  ])
  const operations = stdout
    .trim()
    .split('\n')
    .map((each) => JSON.parse(each))
  const first = operations.find(({ operation, path: file }) => operation === 'write' && file === 'data/log')
  const bytes = Buffer.from(first.bytes, 'base64')
  expect(bytes.length).toBe(first.result)
  // a record of the log: length, checksum, and the changes as JSON, each a key and a value, null for a delete
  const [[key]] = JSON.parse(bytes.subarray(8).toString())
  expect(key).toEqual(expect.any(String))
})

test('bytes are asked for where there is a trace', async () => {
  const neither = await cli(['run', 'io-error/sync', '--trace-bytes'])
  expect(neither).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('--trace-bytes needs --keep'),
  })
  const { exitCode, stderr } = await cli(['run', 'diskfull/workload', '--keep', '--trace-bytes'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('for scenarios on glass')
})

test('a file that is no trace is refused', async () => {
  const { stderr, exitCode } = await cli(['trace', path.join(ROOT, 'README.md')])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('it is no trace of glass')
})
