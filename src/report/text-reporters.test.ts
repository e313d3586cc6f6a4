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
      trial('failed', { index: 30, violations: [violation('lost-write', 'key k: `put` #7 is gone')] }),
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
        '::warning title=1 trial error::it died (diskfull/ext4)',
        '::notice title=2 trials skipped::needs root (diskfull/xfs)',
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
    expect(errors.at(-1)).toBe('::error title=and more::4 more: see the table')
  })

  it('lets no text begin a command or end a title', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('%', '\r', '\n', ':', ',', 'a', '=') }), (text) => {
        const run = runResult({
          scenarios: [scenario(text, [trial('failed', { violations: [violation('hung', text)] })])],
        })
        const lines = renderGithub(run).trimEnd().split('\n')
        expect(lines).toHaveLength(2)
        for (const line of lines) expect(line).toMatch(/^::error title=[^:,\r\n]*::[^\r\n]*$/)
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

- 2 trials skipped: needs root
- 1 trial inconclusive: no evidence
  \`\`\`sh
  npx lightning-chaos replay 0123456789ab
  \`\`\`
- 1 trial error: it died
  \`\`\`sh
  npx lightning-chaos replay 0123456789ab
  \`\`\`
- waived by the contract: compacts-when-full (needs \\| room)
`)
  })

  it('keeps a replay line in its block, whatever is in it', () => {
    const replay = "npx lightning-chaos replay a --target-cmd 'x ```` y'"
    const run = runResult({
      scenarios: [scenario('a/b', [trial('failed', { replay, violations: [violation('hung', 'h')] })])],
    })
    expect(renderMarkdown(run)).toContain(`  \`\`\`\`\`sh\n  ${replay}\n  \`\`\`\`\`\n`)
  })
})
