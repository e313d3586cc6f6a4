import { expect, test } from 'vitest'
import { hashOf, shownFrom } from './location.js'

test('what is shown comes back from the address, whatever is in a name', () => {
  const shown = { scenario: './my scenario&a=b#c%.yaml', trial: '1f09c2a7b3de.4', verdict: 'failed' }
  expect(shownFrom(hashOf(shown))).toEqual(shown)
  expect(hashOf({ scenario: 'diskfull/sweep', trial: '1f09c2a7b3de.4' })).toBe(
    '#scenario=diskfull/sweep&trial=1f09c2a7b3de.4',
  )
})

test('an address that says nothing, or something else, shows the first screen', () => {
  expect(shownFrom('')).toEqual({})
  expect(shownFrom('#verdict=&nonsense=1')).toEqual({})
})
