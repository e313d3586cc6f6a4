import { expect, test } from 'vitest'
import { Blocks, Quota } from './blocks.js'

test('hands released blocks out in the order in which they were released, and each once', () => {
  const blocks = new Blocks(-1, new Quota(0, 0))
  const take = (count: number) => Array.from({ length: count }, () => blocks.allocate())
  expect(take(5)).toEqual([1, 2, 3, 4, 5])
  for (const block of [2, 3, 4]) blocks.release(block)
  expect(take(2)).toEqual([2, 3])
  for (const block of [5, 1]) blocks.release(block)
  expect(take(4)).toEqual([4, 5, 1, 6])
})
