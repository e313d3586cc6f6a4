import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { has } from '../testing/cli.js'
import { runResult, scenario, trial, trials, violation } from '../testing/results.js'
import { renderJunit } from './junit.js'
import type { RunResult } from './result.js'

const mixed = runResult({
  scenarios: [
    scenario('diskfull/neighbour', [
      ...trials(2, 'passed'),
      trial('failed', {
        index: 2,
        durationMs: 1234,
        kept: '/kept/x',
        replay: "npx lightning-chaos replay diskfull/neighbour --target-cmd 'x < y && z'",
        violations: [violation('lost-write', 'key "k": gone'), violation('crashed', 'by SIGBUS\nat 3')],
      }),
    ]),
    scenario('diskfull/xfs', [
      trial('skipped', { reason: 'needs root' }),
      trial('inconclusive', { reason: 'no evidence' }),
      trial('error', { reason: 'the sandbox died: <oops>' }),
    ]),
  ],
})

function withSummary(summary: string): RunResult {
  return runResult({
    scenarios: [scenario('a/b', [trial('failed', { violations: [violation('hung', summary)] })])],
  })
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/gu

/** What XML gives a meaning to or forbids, and any other character, halves of pairs among them. */
const unit = fc.oneof(
  fc.constantFrom(
    '&',
    '<',
    '>',
    '"',
    "'",
    ']]>',
    '&amp;',
    '\0',
    '\x1b',
    '\t',
    '\n',
    '\r',
    '\ufffe',
    '\ud800',
  ),
  fc.integer({ min: 0, max: 0x10ffff }).map((codePoint) => String.fromCodePoint(codePoint)),
)

describe('renderJunit', () => {
  it('makes a case of each trial, with what a reader needs to run it again', () => {
    const lines = renderJunit(mixed).replaceAll('><', '>\n<').split('\n')
    expect(lines).toContain(
      '<testsuites name="lightning-chaos" tests="6" failures="2" errors="1" time="12.345">',
    )
    expect(lines).toContain(
      '<testsuite name="diskfull/neighbour" tests="3" failures="1" errors="0" skipped="0" time="1.434" timestamp="2026-01-02T03:04:05">',
    )
    expect(lines).toContain('<testcase name="trial 2" classname="diskfull.neighbour" time="1.234">')
    expect(lines).toContain('<property name="seed" value="0123456789ab.2"/>')
    expect(lines).toContain(
      `<property name="replay" value="npx lightning-chaos replay diskfull/neighbour --target-cmd 'x &lt; y &amp;&amp; z'"/>`,
    )
    expect(lines).toContain(
      '<failure message="lost-write: key &quot;k&quot;: gone" type="lost-write">lost-write (data-loss): key &quot;k&quot;: gone&#10;crashed (grace): by SIGBUS&#10;at 3</failure>',
    )
    expect(lines).toContain('<failure message="no evidence" type="inconclusive"/>')
    expect(lines).toContain('<error message="the sandbox died: &lt;oops&gt;" type="error"/>')
    expect(lines).toContain('<skipped message="needs root"/>')
  })

  it('has suites with the gate, the seed, the target and the isolation', () => {
    for (const property of [
      '<property name="gate" value="FAIL 40.0% (2/5) &lt; 95%, 1 data-loss violation"/>',
      '<property name="target" value="lightning 1.0.0"/>',
      '<property name="isolation" value="root"/>',
      '<property name="seed" value="seed"/>',
    ]) {
      expect(renderJunit(mixed).split(property)).toHaveLength(3)
    }
  })

  it('tells what was broken, the command and the files in the output of a case', () => {
    expect(renderJunit(mixed)).toContain(
      `<system-out>lost-write (data-loss): key &quot;k&quot;: gone&#10;crashed (grace): by SIGBUS&#10;at 3&#10;npx lightning-chaos replay diskfull/neighbour --target-cmd 'x &lt; y &amp;&amp; z'&#10;files kept in /kept/x</system-out>`,
    )
  })

  it('loses nothing of a text but what XML cannot hold', () => {
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), (summary) => {
        const [, message] = /<failure message="hung: ([^"]*)"/.exec(renderJunit(withSummary(summary)))!
        const decoded = message!.replace(
          /&(?:(amp|lt|gt|quot)|#(\d+));/g,
          (_, name: string | undefined, code: string) =>
            name === undefined
              ? String.fromCodePoint(Number(code))
              : { amp: '&', lt: '<', gt: '>', quot: '"' }[name]!,
        )
        expect(message).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;|#\d+;)/)
        const allowed = summary.replace(FORBIDDEN, '\ufffd')
        expect(decoded).toBe(allowed)
      }),
    )
  })

  it.skipIf(!has('xmllint'))('is what the schema of CI servers asks for (needs libxml2-utils)', () => {
    const schema = fileURLToPath(new URL('../testing/junit.xsd', import.meta.url))
    const validate = (xml: string) =>
      spawnSync('xmllint', ['--noout', '--schema', schema, '-'], { input: xml, encoding: 'utf8' })
    for (const run of [mixed, runResult({ scenarios: [] }), withSummary('\u0000\ud800 ]]> "&\'')]) {
      const { status, stderr } = validate(renderJunit(run))
      expect({ status, stderr }).toEqual({ status: 0, stderr: '- validates\n' })
    }
    expect(validate(renderJunit(mixed).replace('classname', 'class')).status).not.toBe(0)
  })
})
