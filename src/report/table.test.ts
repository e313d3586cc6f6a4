import { Chalk } from 'chalk'
import { describe, expect, it } from 'vitest'
import { runResult, scenario, trial, trials, violation } from '../testing/results.js'
import { renderTable } from './table.js'

const plain = { chalk: new Chalk({ level: 0 }), width: 120 }

const mixed = runResult({
  target: {
    name: 'sqlite',
    version: '3.46.0',
    waived: {
      'opens-in-read-only-directory': 'https://sqlite.org/wal.html',
      'compacts-when-full': 'VACUUM copies',
    },
  },
  scenarios: [
    scenario('diskfull/neighbour', trials(24, 'passed')),
    scenario('diskfull/compaction', [
      ...trials(4, 'passed'),
      ...[412, 7, 99].map((seq) =>
        trial('failed', {
          seed: `seed${seq}`,
          replay: `npx lightning-chaos replay --seed ${seq}`,
          violations: [
            violation('crashed', `the target ended by SIGBUS after write #${seq}`),
            violation(
              'lost-write',
              `key k${seq}: put #${seq} was acked, after the restart #${seq - 1} is there`,
            ),
          ],
          waived: [{ promise: 'compacts-when-full', summary: 'compaction failed with "disk is full"' }],
        }),
      ),
    ]),
    scenario(
      'diskfull/thin-ext4',
      trials(8, 'skipped', { reason: 'needs real root; run it with sudo' }),
      'ext4',
    ),
    scenario(
      'diskfull/thin-xfs',
      trials(8, 'skipped', { reason: 'needs real root; run it with sudo' }),
      'xfs',
    ),
    scenario('permissions/read-only-files', [
      ...trials(7, 'passed', {
        evidence: { EACCES: { direct: 12, probe: 1 }, EROFS: { direct: 0, probe: 1 } },
      }),
      trial('inconclusive', { reason: 'no system call of the target met the fault' }),
    ]),
  ],
})

describe('renderTable', () => {
  it('tells a run that passed', () => {
    expect(renderTable(runResult(), plain)).toMatchInlineSnapshot(`
      "lightning 1.0.0, isolation root, seed seed, 12.3 s

      scenario        volume  trials  passed  failed  inconclusive  skipped    rate  evidence seen
      diskfull/sweep  tmpfs        8       8       0             0        0  100.0%  ENOSPC direct 24 probe 8

      PASS 100.0% (8/8) >= 95%
      "
    `)
  })

  it('tells what went wrong, in words', () => {
    expect(renderTable(mixed, plain)).toMatchInlineSnapshot(`
      "sqlite 3.46.0, isolation root, seed seed, 12.3 s

      scenario                     volume  trials  passed  failed  inconclusive  skipped    rate  evidence seen
      diskfull/neighbour           tmpfs       24      24       0             0        0  100.0%  ENOSPC direct 72 probe 24
      diskfull/compaction          tmpfs        7       4       3             0        0   57.1%  ENOSPC direct 21 probe 7
      diskfull/thin-ext4           ext4         8       0       0             0        8       -  -
      diskfull/thin-xfs            xfs          8       0       0             0        8       -  -
      permissions/read-only-files  tmpfs        8       7       0             1        0   87.5%  EACCES direct 84 probe 7
                                                                                                  EROFS probe 7

      diskfull/compaction
        lost-write (data-loss, 3 times in 3 trials): key k412: put #412 was acked, after the restart #411 is there
          npx lightning-chaos replay --seed 412
        crashed (grace, 3 times in 3 trials): the target ended by SIGBUS after write #412
          npx lightning-chaos replay --seed 412

      16 trials skipped: needs real root; run it with sudo (diskfull/thin-ext4, diskfull/thin-xfs)
      1 trial inconclusive: no system call of the target met the fault (permissions/read-only-files)
        npx lightning-chaos replay 0123456789ab
      waived by the contract: opens-in-read-only-directory (https://sqlite.org/wal.html)
      waived by the contract: compacts-when-full (VACUUM copies); broken 3 times: compaction failed with "disk is full"

      FAIL 89.7% (35/39) < 95%, 3 data-loss violations
      "
    `)
  })

  it('fits 80 columns', () => {
    expect(renderTable(mixed, { ...plain, width: 80 })).toMatchInlineSnapshot(`
      "sqlite 3.46.0, isolation root, seed seed, 12.3 s

      scenario     volume trials passed failed  incon- skipped   rate evidence seen
                                               clusive
      diskfull/    tmpfs      24     24      0       0       0 100.0% ENOSPC direct 72
      neighbour                                                       probe 24
      diskfull/    tmpfs       7      4      3       0       0  57.1% ENOSPC direct 21
      compaction                                                      probe 7
      diskfull/    ext4        8      0      0       0       8      - -
      thin-ext4
      diskfull/    xfs         8      0      0       0       8      - -
      thin-xfs
      permissions/ tmpfs       8      7      0       1       0  87.5% EACCES direct 84
      read-only-                                                      probe 7
      files                                                           EROFS probe 7

      diskfull/compaction
        lost-write (data-loss, 3 times in 3 trials): key k412: put #412 was acked,
          after the restart #411 is there
          npx lightning-chaos replay --seed 412
        crashed (grace, 3 times in 3 trials): the target ended by SIGBUS after write
          #412
          npx lightning-chaos replay --seed 412

      16 trials skipped: needs real root; run it with sudo (diskfull/thin-ext4,
        diskfull/thin-xfs)
      1 trial inconclusive: no system call of the target met the fault
        (permissions/read-only-files)
        npx lightning-chaos replay 0123456789ab
      waived by the contract: opens-in-read-only-directory
        (https://sqlite.org/wal.html)
      waived by the contract: compacts-when-full (VACUUM copies); broken 3 times:
        compaction failed with "disk is full"

      FAIL 89.7% (35/39) < 95%, 3 data-loss violations
      "
    `)
  })

  it('has a column of errors only where there are any', () => {
    const run = runResult({
      scenarios: [scenario('diskfull/sweep', [trial('error', { reason: 'mount: permission denied' })])],
    })
    expect(renderTable(run, plain)).toMatchInlineSnapshot(`
      "lightning 1.0.0, isolation root, seed seed, 12.3 s

      scenario        volume  trials  passed  failed  inconclusive  skipped  errors  rate  evidence seen
      diskfull/sweep  tmpfs        1       0       0             0        0       1  0.0%  -

      1 trial ended in an error of the tool: mount: permission denied (diskfull/sweep)
        npx lightning-chaos replay 0123456789ab

      FAIL 0.0% (0/1) < 95%
      "
    `)
  })

  it('tells five kinds of violations of a scenario and counts the rest', () => {
    const violations = 'abcdefgh'.split('').map((name) => violation('unreadable', `key ${name} 1`))
    const run = runResult({
      scenarios: [
        scenario('diskfull/sweep', [trial('failed', { violations }), trial('failed', { violations })]),
      ],
    })
    const lines = renderTable(run, plain).split('\n')
    expect(lines.filter((line) => line.includes('unreadable'))).toHaveLength(5)
    expect(lines).toContain('  … and 6 more')
  })

  it('tells once what differs in numbers and paths alone', () => {
    const busy = ['Qm2mQz', 'JRX434'].map((name) =>
      trial('failed', {
        violations: [violation('open-failed', `/tmp/x-${name}/data is open in process ${name.length}`)],
      }),
    )
    const text = renderTable(runResult({ scenarios: [scenario('diskfull/sweep', busy)] }), plain)
    expect(text).toContain(
      'open-failed (grace, 2 times in 2 trials): /tmp/x-Qm2mQz/data is open in process 6',
    )
    expect(text).not.toContain('JRX434')
  })

  it('lets no text of a target reach the terminal as it is', () => {
    const summary = 'it said \u001b[2J\u001b]0;owned\u0007\nPASS 100.0% (1/1) >= 95%'
    const run = runResult({
      scenarios: [
        scenario('diskfull/sweep', [trial('failed', { violations: [violation('crashed', summary)] })]),
      ],
    })
    const text = renderTable(run, plain)
    expect(text).toContain('crashed (grace): it said \\x1b[2J\\x1b]0;owned\\x07 PASS 100.0% (1/1) >= 95%')
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
  })

  it('prints the line for a replay so that it can be copied, however long it is', () => {
    const replay = `npx lightning-chaos replay a/b --target-cmd 'x  y ${'z'.repeat(600)}'`
    const run = runResult({
      scenarios: [
        scenario('a/b', [
          trial('failed', { replay, violations: [violation('hung', 'h')] }),
          trial('error', { replay, reason: 'it died' }),
        ]),
      ],
    })
    expect(renderTable(run, plain).split(replay)).toHaveLength(3)
  })

  it('says nothing with a colour that it does not say in words', () => {
    const coloured = renderTable(mixed, { ...plain, chalk: new Chalk({ level: 3 }) })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
    const stripped = coloured.replace(/\u001b\[\d+m/g, '')
    expect(coloured).not.toBe(stripped)
    expect(stripped.replace(/ +$/gm, '')).toBe(renderTable(mixed, plain))
  })

  it('tells a run of nothing', () => {
    expect(renderTable(runResult({ scenarios: [] }), plain)).toMatchInlineSnapshot(`
      "lightning 1.0.0, isolation root, seed seed, 12.3 s

      FAIL no trial ran
      "
    `)
  })
})
