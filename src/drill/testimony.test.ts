import { expect, test } from 'vitest'
import { testimonyIn } from './testimony.js'

test('what a witness says is a testimony, or nothing', () => {
  const said = [{ what: 'write', tried: 'writing', errno: null }]
  expect(testimonyIn(JSON.stringify(said))).toEqual(said)
  for (const other of [
    'garbage',
    '{',
    '',
    'null',
    '[]',
    '[null]',
    '[1]',
    '[{"what":"write","tried":"writing"}]',
  ])
    expect(testimonyIn(other), other).toBeUndefined()
})
