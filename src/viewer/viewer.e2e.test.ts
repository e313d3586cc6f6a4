/** The HTML report in a real browser. */
import { existsSync } from 'node:fs'
import type { Server } from 'node:http'
import axe from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { servePage, urlOf } from '../cli/show-report.js'
import { renderHtml } from '../report/html.js'
import { trialLike } from '../testing/histories.js'
import { runResult, scenario } from '../testing/results.js'

const CHROMIUM = '/usr/bin/chromium'
const ARGUMENTS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
]

const NAMES = ['diskfull/neighbour', 'diskfull/flapping', 'permissions/reopen']
/** Of each scenario, and one in twenty of them failed. */
const TRIALS = 30
const RUN = runResult({
  scenarios: NAMES.map((name) =>
    scenario(
      name,
      Array.from({ length: TRIALS }, (_, index) => trialLike(name, index)),
    ),
  ),
})
const FAILED = RUN.scenarios.flatMap(({ trials }) => trials.filter(({ verdict }) => verdict === 'failed'))
const failed = FAILED[0]!
const ID = `${failed.seed}.${failed.index}`

describe.skipIf(!existsSync(CHROMIUM))(`in ${CHROMIUM}, of the package chromium`, () => {
  let browser: Browser
  let server: Server
  beforeAll(async () => {
    server = await servePage(renderHtml(RUN), 0)
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS })
  })
  afterAll(async () => {
    await browser?.close()
    server?.closeAllConnections()
    server?.close()
  })

  interface Opened {
    /** Where in the report; the first screen, unless given. */
    readonly hash?: string
    readonly theme?: 'light' | 'dark'
    readonly width?: number
  }

  /** Opens the report, and holds it to silence: nothing on the console, nothing asked of the network but the page itself. */
  async function withPage(
    { hash = '', theme = 'light', width = 1280 }: Opened,
    use: (page: Page) => Promise<void>,
  ) {
    const context = await browser.newContext({ colorScheme: theme, viewport: { width, height: 900 } })
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    const page = await context.newPage()
    const noise: string[] = []
    page.on('console', (message) => noise.push(message.text()))
    page.on('pageerror', (error) => noise.push(String(error)))
    page.on('request', (request) => {
      const url = request.url()
      if (!url.startsWith('data:') && !url.startsWith(`${urlOf(server)}#`) && url !== urlOf(server))
        noise.push(`asked for ${url}`)
    })
    await page.goto(`${urlOf(server)}${hash}`)
    await page.getByRole('heading', { level: 1 }).waitFor()
    await use(page)
    expect(noise).toEqual([])
    await context.close()
  }

  const trialButtons = (page: Page) => page.locator('.trials > li > h3 > button')
  const howMany = (page: Page) => page.getByRole('search').getByRole('status').textContent()

  test('the first screen has the gate, the rate with its interval, and every scenario', async () => {
    expect(FAILED.length).toBeGreaterThan(1)
    await withPage({}, async (page) => {
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain('The gate is not met')
      expect(await page.title()).toMatch(/^FAIL /)
      expect(await page.getByText('with 95% confidence').isVisible()).toBe(true)
      for (const name of NAMES) expect(await page.getByRole('button', { name }).isVisible()).toBe(true)
    })
  })

  test('it filters by verdict, family and violation, and the address remembers', async () => {
    await withPage({}, async (page) => {
      await page.getByLabel('Family').selectOption('permissions')
      await expect.poll(() => page.locator('tbody').count()).toBe(1)
      await page.getByRole('button', { name: 'Show all' }).click()
      await expect.poll(() => page.locator('tbody').count()).toBe(NAMES.length)
      await page.getByLabel('Verdict').selectOption('failed')
      const found = `${FAILED.length} of ${NAMES.length * TRIALS} trials`
      await expect.poll(() => howMany(page)).toBe(found)
      await page.getByLabel('Violation').selectOption('lost-write')
      await expect.poll(() => howMany(page)).toBe(found)
      await page.reload()
      await expect.poll(() => howMany(page)).toBe(found)
    })
  })

  test('an address opens a trial, with its picture, its violations and its history', async () => {
    await withPage({ hash: `#scenario=${failed.scenario}&trial=${ID}` }, async (page) => {
      const open = page.locator('.trial')
      expect(await open.getByText(failed.judgement!.violations[0]!.summary).first().isVisible()).toBe(true)
      expect(await colours(page)).toBeGreaterThan(5)
      expect(await open.getByRole('img').getAttribute('aria-label')).toMatch(/\d/)
    })
  })

  test('the keyboard alone opens a trial and copies its replay line', async () => {
    await withPage({}, async (page) => {
      await page.getByRole('button', { name: failed.scenario }).focus()
      await page.keyboard.press('Enter')
      const button = trialButtons(page).filter({ hasText: ID })
      for (let tabs = 0; !(await button.evaluate((each) => each === document.activeElement)); tabs += 1) {
        expect(tabs).toBeLessThan(TRIALS + 20)
        await page.keyboard.press('Tab')
      }
      await page.keyboard.press('Space')
      const copy = page.getByRole('button', { name: 'Copy' })
      for (let tabs = 0; !(await copy.evaluate((each) => each === document.activeElement)); tabs += 1) {
        expect(tabs).toBeLessThan(30)
        await page.keyboard.press('Tab')
      }
      await page.keyboard.press('Enter')
      await page.getByText('Copied').waitFor()
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(failed.replay)
    })
  })

  test.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
  ] as const)('axe finds nothing, in %s and %i pixels wide', async (theme, width) => {
    for (const hash of ['', `#scenario=${failed.scenario}&trial=${ID}`]) {
      await withPage({ hash, theme, width }, async (page) => {
        await page.evaluate(axe.source)
        const found = await page.evaluate(async () => {
          const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run()
          return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
        })
        expect(found).toEqual([])
        // long lines scroll in their own box
        const { scrollWidth, clientWidth } = await page.evaluate(() => {
          const { scrollWidth, clientWidth } = document.documentElement
          return { scrollWidth, clientWidth }
        })
        expect(scrollWidth).toBe(clientWidth)
      })
    }
  })

  /** How many colours the picture has: one would be an empty canvas. */
  function colours(page: Page): Promise<number> {
    return page.locator('.charts').evaluate((charts) => {
      const seen = new Set<number>()
      for (const canvas of charts.querySelectorAll('canvas')) {
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
        for (const pixel of new Uint32Array(data.buffer)) seen.add(pixel)
      }
      return seen.size
    })
  }
})
