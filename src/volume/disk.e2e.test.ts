/** The disk of a real file system, on glass: what fails below it is met above it, and a database that is wrong is found. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { Contract } from '../target/contract.js'
import { SQLITE_CONTRACT } from '../target/sqlite-contract.js'
import { cli, has, ROOT } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'

const FILE_SYSTEMS = ['ext4', 'xfs', 'btrfs'] as const
/** What the host lacks; undefined where that is nothing. */
const missing =
  process.geteuid?.() !== 0
    ? 'not root'
    : !existsSync('/dev/fuse')
      ? 'no /dev/fuse'
      : FILE_SYSTEMS.map((each) => `mkfs.${each}`).find((program) => !has(program))

/** A broken database that promises everything but what is waived. */
function broken(name: string, waive: Contract['waived']): readonly string[] {
  const file = `${freshPath()}.yaml`
  const command = [process.execPath, path.join(ROOT, `fixtures/broken/${name}.js`)]
  writeFileSync(file, JSON.stringify({ name, command, contract: { waive } }))
  return ['--target', file]
}

async function run(...args: readonly string[]) {
  const { stdout, stderr } = await cli(['run', ...args, '--workers', '2', '--reporter', 'json'])
  expect(stdout, stderr).not.toBe('')
  return JSON.parse(stdout)
}

async function expectFound(kinds: readonly string[], args: readonly string[]): Promise<void> {
  const { violations, errors } = (await run(...args)).scenarios[0]
  const found = violations.map((violation: { kind: string }) => violation.kind)
  expect(found.filter((kind: string) => kinds.includes(kind))).not.toEqual([])
  expect(errors).toBe(0)
}

/**
 * A scenario, a database that it finds, with one of which violations, within how many trials. It promises what SQLite
 * does: what that waives must not hide the bug.
 */
const FOUND: readonly (readonly [string, string, readonly string[], number])[] = [
  ['power-loss/disk-ext4', 'never-fsyncs', ['lost-write'], 2],
  ['power-loss/disk-xfs', 'never-fsyncs', ['lost-write'], 2],
  ['power-loss/disk-btrfs', 'never-fsyncs', ['lost-write'], 2],
  ['io-error/disk-ext4', 'ignores-fsync-errors', ['lost-write'], 2],
  ['io-error/disk-xfs', 'ignores-fsync-errors', ['lost-write'], 8],
  ['io-error/disk-btrfs', 'ignores-fsync-errors', ['lost-write'], 2],
  ['io-error/disk-restart', 'goes-on-where-a-write-failed', ['no-recovery'], 1],
  ['slow-disk/disk-stall', 'gives-up-on-a-slow-disk', ['wrong-error'], 2],
]

test.skipIf(missing).each(FOUND)(
  `%s finds %s (${missing ?? 'glass below'})`,
  async (scenario, name, kinds, trials) => {
    const target = broken(name, SQLITE_CONTRACT.waived)
    await expectFound(kinds, [scenario, ...target, '--trials', String(trials)])
  },
)

test.skipIf(missing)(
  `each write of the disk in turn finds ignores-fsync-errors, if it promises everything (${missing ?? 'glass below'})`,
  async () => {
    // where more was written after the hole, it takes its log for damaged, and never opens it again
    const lost = ['lost-write', 'resurrected-delete', 'torn-batch', 'no-recovery']
    const target = broken('ignores-fsync-errors', {})
    await expectFound(lost, ['io-error/disk-each-write', ...target, '--trials', '4'])
  },
)

test.skipIf(missing)(
  `the bundled database loses nothing that it acked after a restart (${missing ?? 'glass below'})`,
  async () => {
    const { scenarios } = await run('io-error/disk-restart', '--target', 'lightning', '--trials', '4')
    expect(scenarios[0]).toMatchObject({ passed: 4, violations: [] })
  },
)

test.skipIf(missing)(`a write can be lost below ext4 (${missing ?? 'glass below'})`, async () => {
  const file = `${freshPath()}.yaml`
  const steps = [
    '{ do: run, operations: 60 }',
    '{ do: inject, fault: disk-lost-write, percent: 20 }',
    '{ do: run, operations: 60 }',
    '{ do: kill }',
    '{ do: heal }',
    '{ do: start }',
    '{ do: verify }',
  ]
  const volume = 'volume: { kind: ext4, disk: glass }'
  writeFileSync(
    file,
    `name: lost\ntitle: Lost writes\nwhy: they happen\n${volume}\ntimeline:\n${steps.map((step) => `  - ${step}\n`).join('')}`,
  )
  const { scenarios } = await run(file, '--target', 'sqlite', '--trials', '4')
  expect(scenarios[0].evidence.rot.direct).toBeGreaterThan(4)
})

test.skipIf(missing)(`the trace has the writes of the disk (${missing ?? 'glass below'})`, async () => {
  const keep = freshPath()
  mkdirSync(keep)
  await run('io-error/disk-ext4', ...broken('ignores-fsync-errors', {}), '--trials', '1', '--keep', keep)
  const file = readdirSync(keep, { recursive: true, encoding: 'utf8' }).find((name) =>
    name.endsWith('.trace'),
  )
  const { stdout } = await cli(['trace', path.join(keep, file!)])
  expect(stdout).toMatch(/ms +\d+ {2}write +data\/image {2}\d+ at \d+ {2}= \d+$/m)
  expect(stdout).toMatch(/ms +\d+ {2}write +data\/image {2}\d+ at \d+ {2}= EIO {2}\(rule 0\)$/m)
  expect(stdout).toMatch(/ms +\d+ {2}fsync +data\/image$/m)
})
