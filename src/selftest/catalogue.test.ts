import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { VIOLATION_SEVERITY } from '../oracle/violation.js'
import { builtinScenarios } from '../scenario/load.js'
import { PROMISES } from '../target/contract.js'
import { fixtureFile, loadCatalogue } from './catalogue.js'

const { broken, correct } = await loadCatalogue()
/** What the databases are made of. */
const PARTS = ['base.js', 'catalogue.js', 'record.js', 'serve.js']

test('the catalogue names every database in its folder, each once', () => {
  const files = readdirSync(path.dirname(fixtureFile(correct.name))).filter((file) => !PARTS.includes(file))
  expect([correct, ...broken].map(({ name }) => `${name}.js`).sort()).toEqual(files.sort())
})

test('there are at least 16 of them, each with what it is broken in', () => {
  expect(broken.length).toBeGreaterThanOrEqual(16)
  expect(new Set(broken.map(({ bug }) => bug)).size).toBe(broken.length)
})

test('it expects violations, and names scenarios and promises, that there are', async () => {
  const scenarios = (await builtinScenarios()).map(({ name }) => name)
  for (const database of broken) {
    expect(Object.keys(VIOLATION_SEVERITY), database.name).toEqual(
      expect.arrayContaining([...database.expects]),
    )
    expect(scenarios, database.name).toEqual(expect.arrayContaining([...database.scenarios]))
    expect([database.expects.length, database.scenarios.length], database.name).not.toContain(0)
  }
  expect(Object.keys(PROMISES)).toEqual(expect.arrayContaining(Object.keys(correct.waived)))
})

test.for(broken)('$name is the base with a difference, and names a real report', ({ name }) => {
  const text = readFileSync(fixtureFile(name), 'utf8')
  expect(text).toMatch(/^\/\*\* .* https:\/\/\S+ \*\/$|^\/\*\* .*: https:\/\/\S+ \*\/$/m)
  expect(text).toMatch(/^class \w+ extends Store \{$/m)
  expect(text.split('\n').length).toBeLessThan(40)
})
