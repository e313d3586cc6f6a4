import { expect, it } from 'vitest'
import { SQLITE_CONTRACT } from './sqlite-contract.js'

it('waives only with a source, and never what SQLite is for', () => {
  for (const reason of Object.values(SQLITE_CONTRACT.waived))
    expect(reason).toContain('https://www.sqlite.org/')
  expect(SQLITE_CONTRACT.waived).not.toHaveProperty('durable-acks')
  expect(SQLITE_CONTRACT.waived).not.toHaveProperty('atomic-batches')
})
