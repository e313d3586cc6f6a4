import { Chalk } from 'chalk'
import { expect, test } from 'vitest'
import type { SelftestResult } from './result.js'
import { renderSelftest } from './table.js'

const plain = { chalk: new Chalk({ level: 0 }), width: 100 }

const mixed: SelftestResult = {
  schema: 1,
  tool: { name: 'lightning-chaos', version: '1.0.0' },
  isolation: 'root',
  seed: 'seed',
  durationMs: 1234,
  complete: true,
  met: false,
  broken: [
    {
      name: 'half-batches',
      bug: 'writes a batch one by one',
      expects: ['torn-batch', 'phantom-write'],
      outcome: 'found',
      trials: 2,
      scenario: 'diskfull/workload',
      violation: { kind: 'torn-batch', severity: 'data-loss', summary: 'half of it is there' },
      replay: 'replay half',
    },
    {
      name: 'stale-lock',
      bug: 'is kept out by a stale lock',
      expects: ['open-failed'],
      outcome: 'missed',
      trials: 2,
      instead: [
        { scenario: 'diskfull/open', verdict: 'passed', replay: 'replay stale' },
        {
          scenario: 'diskfull/open',
          verdict: 'failed',
          reason: 'crashed: \u001b[31mit ended',
          replay: 'replay staler',
        },
      ],
    },
    {
      name: 'quota-is-unknown',
      bug: 'does not know EDQUOT',
      expects: ['wrong-error'],
      outcome: 'skipped',
      why: 'no btrfs (apt-get install btrfs-progs)',
    },
  ],
  correct: [
    {
      name: 'lightning',
      outcome: 'accused',
      version: '0.1.0',
      trials: 24,
      passed: 23,
      accusations: [
        { scenario: 'diskfull/open', verdict: 'failed', reason: 'hung: no answer', replay: 'replay it' },
      ],
      skipped: [{ scenario: 'diskfull/quota', why: 'no btrfs (apt-get install btrfs-progs)' }],
    },
    { name: 'sqlite', outcome: 'skipped', why: 'no SQLite driver found on this host' },
  ],
}

test('the table says what was found, missed, skipped and accused', () => {
  expect(renderSelftest(mixed, plain)).toBe(`isolation root, seed seed, 1.2 s

a database that …            expected                     result   by                 trials
writes a batch one by one    torn-batch or phantom-write  found    diskfull/workload       2
is kept out by a stale lock  open-failed                  missed   -                       2
does not know EDQUOT         wrong-error                  skipped  -                       -

correct target   result   trials  passed
lightning 0.1.0  accused      24      23
sqlite           skipped       -       -

missed: stale-lock
  diskfull/open passed
    replay stale
  diskfull/open failed: crashed: \\x1b[31mit ended
    replay staler

accused: lightning
  diskfull/open failed: hung: no answer
    replay it

skipped: no btrfs (apt-get install btrfs-progs): quota-is-unknown, diskfull/quota
skipped: no SQLite driver found on this host: sqlite

FAIL 1 of 2 bugs found, 1 false alarm in 24 trials
`)
})

test('a self-test without a fault is a pass', () => {
  const [found] = mixed.broken
  const text = renderSelftest({ ...mixed, met: true, broken: [found!], correct: [] }, plain)
  expect(text.trimEnd().split('\n').at(-1)).toBe('PASS 1 of 1 bug found')
})

test('one that was interrupted is none, and says so', () => {
  const text = renderSelftest({ ...mixed, complete: false }, plain)
  expect(text).toContain('FAIL interrupted, 1 of 2 bugs found')
})

test('on a narrow terminal no line is too long', () => {
  const lines = renderSelftest(mixed, { ...plain, width: 72 }).split('\n')
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(72)
})
