/** The self-test for real: every broken database is found, in the way it is broken, and the correct one is not. */
import { beforeAll, describe, expect, test } from 'vitest'
import { cli, IDENTITIES } from '../testing/cli.js'
import { loadCatalogue } from './catalogue.js'
import type { SelftestResult } from './result.js'

const { broken, correct } = await loadCatalogue()
const SHORT = ['--timeout', '3s', '--resume-timeout', '1s', '--correct-trials', '1', '--json']

describe('with everything that this host can do', () => {
  let exitCode: number | undefined
  let result: SelftestResult

  beforeAll(async () => {
    const names = [...broken, correct].map(({ name }) => name)
    const run = await cli(['selftest', ...names, '--seed', 'test', ...SHORT])
    exitCode = run.exitCode
    result = JSON.parse(run.stdout)
  }, 600_000)

  test.for(broken)('a database that $bug is found', ({ name, expects }, { skip }) => {
    const found = result.broken.find((each) => each.name === name)
    if (found?.outcome === 'skipped') skip(found.why)
    expect(found).toMatchObject({ outcome: 'found', violation: { kind: expect.toBeOneOf([...expects]) } })
  })

  test('the correct one is accused of nothing', () => {
    expect(result.correct).toMatchObject([{ name: correct.name, outcome: 'clean', accusations: [] }])
  })

  test('that is a pass', () => {
    expect({ met: result.met, exitCode }).toEqual({ met: true, exitCode: 0 })
  })
})

test('an ordinary user hunts for what he can, and is told what he cannot', async () => {
  const run = await cli(['selftest', 'half-batches', 'quota-is-unknown', ...SHORT], {
    as: IDENTITIES.at(-1)!,
  })
  // a quota takes a btrfs of one's own
  expect((JSON.parse(run.stdout) as SelftestResult).broken).toMatchObject([
    { name: 'quota-is-unknown', outcome: 'skipped', why: expect.stringContaining('root') },
    { name: 'half-batches', outcome: 'found' },
  ])
  expect(run.exitCode).toBe(0)
})

test('it fails where a bug is missed', async () => {
  // nobody answers within a millisecond, so nothing but that is seen
  const run = await cli(['selftest', 'half-batches', ...SHORT, '--trials', '1', '--timeout', '1ms'])
  const result: SelftestResult = JSON.parse(run.stdout)
  expect(result.broken).toMatchObject([{ outcome: 'missed', trials: 1 }])
  expect({ met: result.met, exitCode: run.exitCode }).toEqual({ met: false, exitCode: 1 })
})

test('it says which name was probably meant', async () => {
  const run = await cli(['selftest', 'half-batch'])
  expect(run.stderr).toContain('did you mean half-batches?')
  expect(run.exitCode).toBe(2)
})
