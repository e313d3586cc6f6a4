import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compareUtf8 } from './utf8-order.js'

it('orders strings as their UTF-8 bytes are ordered', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('a', 'é', '￿', '\ue000', '🗝', '𐀀') }),
  )
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
  )
})
