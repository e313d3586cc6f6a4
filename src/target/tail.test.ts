import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Tail } from './tail.js'

it('keeps the last bytes, however they came', () => {
  const chunk = fc.string({ unit: 'binary-ascii', maxLength: 20 })
  fc.assert(
    fc.property(fc.array(chunk), fc.integer({ min: 1, max: 30 }), (chunks, limit) => {
      const tail = new Tail(limit)
      for (const chunk of chunks) tail.push(Buffer.from(chunk))
      expect(tail.toString()).toBe(chunks.join('').slice(-limit))
    }),
  )
})
