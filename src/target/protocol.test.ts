import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { PROMISES } from './contract.js'
import { ERROR_KINDS, REFUSALS } from './protocol.js'

const text = readFileSync(new URL('../../docs/target-protocol.md', import.meta.url), 'utf8')

/** Cells of the rows of the table with this head. */
function table(head: string): string[][] {
  const [, rows = ''] = text.split(`| ${head} |`)
  const body = rows.slice(0, rows.indexOf('\n\n')).split('\n').slice(2)
  return body.map((row) => row.split(' | ').map((cell) => cell.replace(/^\| | \|$|`/g, '')))
}

it('docs/target-protocol.md lists every kind of error, and what it means for a write', () => {
  const kinds = table('kind').map(([kind, , meaning]) => [kind, meaning])
  const expected = ERROR_KINDS.map((kind) => [kind, REFUSALS.has(kind) ? '**refused**' : 'unknown'])
  expect(new Map(kinds as [string, string][])).toEqual(new Map(expected as [string, string][]))
})

it('docs/target-protocol.md lists every promise', () => {
  expect(Object.fromEntries(table('promise'))).toEqual(PROMISES)
})
