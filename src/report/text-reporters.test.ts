import { Chalk } from 'chalk'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runResult, scenario, trial, trials, violation } from '../testing/results.js'
import { renderDots } from './dot.js'
import { renderGithub } from './github.js'
import { renderMarkdown } from './markdown.js'

const plain = { chalk: new Chalk({ level: 0 }), width: 40 }

const failing = runResult({
  target: { name: 'mydb', version: '1', waived: { 'compacts-when-full': 'needs | room' } },
  scenarios: [
    scenario('diskfull/neighbour', [
      ...trials(30, 'passed'),
      trial('failed', {
        index: 30,
        reason: 'key k: `put` #7 is gone',
        kept: '/kept/x',
        violations: [violation('lost-write', 'key k: `put` #7 is gone')],
      }),
    ]),
    scenario('diskfull/xfs', trials(2, 'skipped', { reason: 'needs root' }), 'xfs'),
    scenario('diskfull/ext4', [
      trial('inconclusive', { reason: 'no evidence' }),
      trial('error', { reason: 'it died' }),
    ]),
  ],
})

describe('renderDots', () => {
  it('has a character for each trial, a legend of those that are there, and the gate', () => {
    expect(renderDots(failing, plain)).toBe(`diskfull/neighbour  ....................
                    ..........F
diskfull/xfs        --
diskfull/ext4       ?E

. passed  F failed  ? inconclusive  - skipped  E error

FAIL 90.9% (30/33) < 95%, 1 data-loss violation
`)
  })
})

describe('renderGithub', () => {
  it('annotates the gate, what was broken and what proves nothing', () => {
    expect(renderGithub(failing)).toBe(
      [
        '::error title=lightning-chaos::FAIL 90.9%25 (30/33) < 95%25, 1 data-loss violation',
        '::error title=lost-write (data-loss) in diskfull/neighbour::key k: `put` #7 is gone%0Anpx lightning-chaos replay 0123456789ab',
        '::warning title=1 trial inconclusive::no evidence (diskfull/ext4)',
        '::warning title=1 trial ended in an error of the tool::it died (diskfull/ext4)',
        '::notice title=2 trials skipped::needs root (diskfull/xfs)',
        '::group::lightning-chaos: 3 trials that did not pass',
        'failed diskfull/neighbour 0123456789ab.30',
        '  lost-write (data-loss): key k: `put` #7 is gone',
        '  npx lightning-chaos replay 0123456789ab',
        '  files kept in /kept/x',
        'inconclusive diskfull/ext4 0123456789ab.0: no evidence',
        '  npx lightning-chaos replay 0123456789ab',
        'error diskfull/ext4 0123456789ab.0: it died',
        '  npx lightning-chaos replay 0123456789ab',
        '::endgroup::',
        '',
      ].join('\n'),
    )
  })

  it('says no more than GitHub shows, and how much that leaves out', () => {
    const many = Array.from({ length: 12 }, (_, i) =>
      scenario(`a/b${i}`, [trial('failed', { violations: [violation('hung', 'it hung')] })]),
    )
    const errors = renderGithub(runResult({ scenarios: many })).match(/^::error.*$/gm)!
    expect(errors).toHaveLength(10)
    expect(errors.at(-1)).toBe('::error title=and more::4 more: see the log of this step')
  })

  it('has no group where every trial passed or was skipped', () => {
    expect(renderGithub(runResult())).toBe('::notice title=lightning-chaos::PASS 100.0%25 (8/8) >= 95%25\n')
  })

  it('lets no text begin a command or end a title', () => {
    const parts = [
      '%',
      '\r',
      '\n',
      '\u2028',
      ':',
      '::',
      '::error::',
      '##[error]',
      '#',
      '[',
      ',',
      'a',
      '=',
      ' ',
    ]
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...parts) }), (text) => {
        const run = runResult({
          scenarios: [
            scenario(text, [
              trial('failed', { replay: `npx ${text}`, kept: text, violations: [violation('hung', text)] }),
              trial('error', { reason: text }),
            ]),
          ],
        })
        const lines = renderGithub(run).trimEnd().split('\n')
        const commands = lines.filter((line) => line.trimStart().startsWith('::'))
        expect(commands.map((line) => /^::\w+/.exec(line)?.[0])).toEqual([
          '::error',
          '::error',
          '::warning',
          '::group',
          '::endgroup',
        ])
        for (const line of commands.slice(0, 3)) {
          expect(line).toMatch(/^::(error|warning) title=[^:,\r\n]*::[^\r\n]*$/)
        }
        for (const line of lines.slice(4, -1)) expect(line).not.toContain('##[')
      }),
    )
  })
})

describe('renderMarkdown', () => {
  it('says what the table says', () => {
    expect(
      renderMarkdown(failing),
    ).toBe(`### ❌ lightning-chaos: FAIL 90.9% (30/33) \\< 95%, 1 data-loss violation

mydb 1, isolation root, seed seed, 12.3 s

| scenario | volume | trials | passed | failed | inconclusive | skipped | errors | rate | evidence seen |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
| diskfull/neighbour | tmpfs | 31 | 30 | 1 | 0 | 0 | 0 | 96.7% | ENOSPC direct 93 probe 31 |
| diskfull/xfs | xfs | 2 | 0 | 0 | 0 | 2 | 0 | - | - |
| diskfull/ext4 | tmpfs | 2 | 0 | 0 | 1 | 0 | 1 | 0.0% | - |

#### diskfull/neighbour

- **lost-write** (data-loss): key k: \\\`put\\\` \\#7 is gone
  \`\`\`sh
  npx lightning-chaos replay 0123456789ab
  \`\`\`

  files kept in /kept/x

- 2 trials skipped: needs root (diskfull/xfs)
- 1 trial inconclusive: no evidence (diskfull/ext4)
  \`\`\`sh
  npx lightning-chaos replay 0123456789ab
  \`\`\`
- 1 trial ended in an error of the tool: it died (diskfull/ext4)
  \`\`\`sh
  npx lightning-chaos replay 0123456789ab
  \`\`\`
- waived by the contract: compacts-when-full (needs \\| room)
`)
  })

  it('keeps a replay line in its block, whatever is in it', () => {
    const replay = `npx lightning-chaos replay a --target-cmd 'x \`\`\`\`  y' ${'z'.repeat(600)}`
    const run = runResult({
      scenarios: [scenario('a/b', [trial('failed', { replay, violations: [violation('hung', 'h')] })])],
    })
    expect(renderMarkdown(run)).toContain(`  \`\`\`\`\`sh\n  ${replay}\n  \`\`\`\`\`\n`)
  })

  it('lets no text of a target become markup', () => {
    const text = '| `a` **b** <img src=x> [l](u)\n\n# h\n$x$'
    const told = '\\| \\`a\\` \\*\\*b\\*\\* \\<img src=x\\> \\[l\\](u) \\# h \\$x\\$'
    const run = runResult({
      target: { name: text, version: '1', waived: {} },
      scenarios: [
        scenario('a/b', [
          trial('failed', { violations: [violation('hung', text)] }),
          trial('skipped', { reason: text }),
        ]),
      ],
    })
    const lines = renderMarkdown(run).split('\n')
    expect(lines).toContain(`${told} 1, isolation root, seed seed, 12.3 s`)
    expect(lines).toContain(`- **hung** (grace): ${told}`)
    expect(lines).toContain(`- 1 trial skipped: ${told} (a/b)`)
  })
})
