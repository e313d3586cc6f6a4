/** The main job, as a user runs it: every built-in scenario, as root and as an ordinary user. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonReport } from '../report/json.js'
import { selectScenarios } from '../scenario/load.js'
import { cli, has, IDENTITIES, type Identity } from '../testing/cli.js'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'lightning-chaos-test-'))
  await chmod(directory, 0o755)
})
afterAll(() => rm(directory, { recursive: true }))

async function run(identity: Identity, ...args: readonly string[]) {
  const { exitCode, stdout, stderr } = await cli(['run', '--reporter', 'json', ...args], {
    as: identity,
    cwd: '/',
  })
  if (stdout === '') throw new Error(`exit ${exitCode}: ${stderr}`)
  return { exitCode, report: JSON.parse(stdout) as JsonReport }
}

describe.each(IDENTITIES)('as $name', (identity) => {
  const isRoot = identity.name === 'root'

  test('the bundled database passes every scenario that the host can run', { timeout: 300_000 }, async () => {
    const { exitCode, report } = await run(identity, '--trials', '1', '--seed', 'e2e')
    const outcomes = report.scenarios.map(({ name, passed, skipped, violations, reasons }) => ({
      name,
      outcome: passed === 1 ? 'passed' : skipped === 1 ? 'skipped' : { violations, reasons },
    }))
    const canEverything = isRoot && ['mkfs.ext4', 'mkfs.xfs', 'mkfs.btrfs', 'chattr'].every(has)
    const expected = (await selectScenarios([])).map(({ scenario: { name, volume } }) => {
      const needsRoot = volume.kind !== 'tmpfs' || name === 'permissions/owner'
      const mayBeSkipped = !canEverything && needsRoot
      const skipped =
        mayBeSkipped && outcomes.some((each) => each.name === name && each.outcome === 'skipped')
      return { name, outcome: skipped ? 'skipped' : 'passed' }
    })
    expect(outcomes).toEqual(expected)
    expect(exitCode).toBe(0)
    // no pass without evidence, and as root direct evidence wherever the target ran into the fault itself
    for (const { name, passed, evidence } of report.scenarios) {
      if (passed === 1) expect(Object.keys(evidence), name).not.toEqual([])
    }
    const neighbour = report.scenarios.find(({ name }) => name === 'diskfull/neighbour')
    expect(neighbour?.evidence.ENOSPC?.probe).toBe(2)
    if (isRoot) expect(neighbour?.evidence.ENOSPC?.direct).toBeGreaterThan(0)
  })

  test('SQLite keeps what it promises', { timeout: 120_000 }, async () => {
    const { exitCode, report } = await run(
      identity,
      'diskfull/neighbour',
      'permissions/owner',
      '--target',
      'sqlite',
      '--trials',
      '2',
    )
    expect({ exitCode, met: report.gate.met, target: report.target.name }).toEqual({
      exitCode: 0,
      met: true,
      target: 'sqlite',
    })
  })

  test('a fault that does not reach the target is no pass', async () => {
    const file = path.join(directory, 'harmless.yaml')
    await writeFile(
      file,
      `name: test/harmless
title: Ballast that leaves plenty of room
why: There is no evidence then, so nothing was tested
volume: { kind: tmpfs, size: 8MiB }
timeline:
  - { do: run, operations: 20 }
  - { do: inject, fault: ballast, leave: 6MiB }
  - { do: run, operations: 20 }
`,
    )
    const { exitCode, report } = await run(identity, file, '--trials', '1')
    expect({ exitCode, inconclusive: report.scenarios[0]?.inconclusive, met: report.gate.met }).toEqual({
      exitCode: 1,
      inconclusive: 1,
      met: false,
    })
  })
})
