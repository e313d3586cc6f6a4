import { inflateRawSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Event } from '../history/events.js'
import { trialLike } from '../testing/histories.js'
import { runResult, scenario, trial, trials, violation } from '../testing/results.js'
import { renderHtml } from './html.js'
import type { Page } from './page.js'
import { VIEWER } from './viewer-page.js'

const MOST_BYTES = 1_000_000

function dataOf(html: string): string {
  const [before, after] = VIEWER
  expect(html.startsWith(before)).toBe(true)
  expect(html.endsWith(after)).toBe(true)
  return html.slice(before.length, html.length - after.length)
}

function pageIn(html: string): Page {
  return JSON.parse(inflateRawSync(Buffer.from(dataOf(html), 'base64')).toString())
}

describe('the page', () => {
  it('loads nothing, and runs one script', () => {
    const html = renderHtml(runResult())
    expect(html.match(/<script\b[^>]*>/g)).toEqual([
      '<script type="module">',
      '<script type="text/plain" id="data">',
    ])
    expect(html).not.toMatch(
      /<link\b(?![^>]*href="data:)|<img\b|<iframe\b|@import|url\((?!data:)|sourceMappingURL/,
    )
    expect(html).toMatch(
      /http-equiv="Content-Security-Policy"\s+content="default-src 'none'; script-src 'sha256-/,
    )
  })

  it.each([
    '</script><script>alert(1)</script>',
    '<!-- <script>',
    ']]>',
    '\u2028\u2029',
    '\0\u001b[31m',
    '\ud800',
    '%DATA%',
  ])('holds %j as data, whoever wrote it', (hostile) => {
    const history: Event[] = [
      { type: 'invoke', time: 0, id: 1, client: 0, op: { f: 'get', key: hostile } },
      { type: 'ok', time: 1, id: 1, value: { text: hostile } },
    ]
    const html = renderHtml(
      runResult({
        target: { name: hostile, version: hostile, waived: {} },
        scenarios: [
          scenario(hostile, [
            trial('failed', {
              violations: [violation('lost-write', hostile)],
              history,
              targetLog: hostile,
              replay: hostile,
              kept: hostile,
            }),
          ]),
        ],
      }),
    )
    expect(dataOf(html)).toMatch(/^[A-Za-z0-9+/]+=*$/)
    const [found] = pageIn(html).scenarios
    expect(found!.name).toBe(hostile)
  })
})

describe('a report of 1,000 trials', () => {
  const names = ['neighbour', 'open', 'quota', 'sweep', 'compaction'].map((name) => `diskfull/${name}`)
  const many = (make: (name: string, index: number) => ReturnType<typeof trialLike>) =>
    runResult({
      scenarios: names.map((name) =>
        scenario(
          name,
          Array.from({ length: 200 }, (_, index) => make(name, index)),
        ),
      ),
    })

  it('is smaller than 1 MB, and has a picture of each', () => {
    const html = renderHtml(many(trialLike))
    expect(html.length).toBeLessThan(MOST_BYTES)
    const all = pageIn(html).scenarios.flatMap((each) => each.trials)
    expect(all).toHaveLength(1000)
    expect(all.filter(({ timeline }) => timeline === undefined)).toEqual([])
    const failed = all.filter(({ verdict }) => verdict === 'failed')
    expect(failed.length).toBeGreaterThan(25)
    expect(failed.filter(({ details }) => !details?.excerpts[0]?.length || details.log.length === 0)).toEqual(
      [],
    )
  })

  it('is smaller than 1 MB when all of them fail, and says of whose details there was no room', () => {
    const failing = (name: string, index: number) => {
      for (let tries = 0; ; tries += 1) {
        const found = trialLike(`${name}-${tries}`, index)
        if (found.verdict === 'failed') return { ...found, scenario: name }
      }
    }
    const few = new Map(
      names.map((name) => [name, Array.from({ length: 4 }, (_, index) => failing(name, index))]),
    )
    const html = renderHtml(
      many((name, index) => {
        // a log of every trial's own, that no compression makes small
        const own = few.get(name)![index % 4]!
        const noise = Array.from(
          { length: 24 },
          (_, line) => `${Math.sin(index * 24 + line)} ${name}\n`,
        ).join('')
        return { ...own, index, targetLog: noise }
      }),
    )
    expect(html.length).toBeLessThan(MOST_BYTES)
    const all = pageIn(html).scenarios.flatMap((each) => each.trials)
    const without = all.filter(({ details }) => details === null)
    expect(without.length).toBeGreaterThan(0)
    expect(without.length).toBeLessThan(1000)
  })
})

it('a run of nothing has a page, too', () => {
  expect(pageIn(renderHtml(runResult({ scenarios: [] })))).toMatchObject({
    gate: { met: false, reasons: ['no trial ran'] },
    scenarios: [],
  })
  const skipped = scenario('diskfull/xfs', trials(2, 'skipped', { reason: 'needs root' }), 'xfs')
  const page = pageIn(renderHtml(runResult({ scenarios: [skipped] })))
  expect(page).not.toHaveProperty('rate')
  expect(page.notes).toEqual(['2 trials skipped: needs root (diskfull/xfs)'])
})
