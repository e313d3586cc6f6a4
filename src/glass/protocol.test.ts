import { constants } from 'node:os'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Kernel } from '../testing/fuse.js'
import { OP, REQUEST_HEADER, ROOT, SHAPES } from './protocol.js'
import { Reply, Request } from './request.js'

const { EINVAL, ENOSYS } = constants.errno

/** A header whose fields are all there, and whatever follows it. */
const request = fc
  .record({
    opcode: fc.oneof(fc.constantFrom(...Object.values(OP)), fc.integer({ min: 0, max: 70 })),
    unique: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
    node: fc.oneof(fc.bigInt({ min: 0n, max: 24n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    body: fc.oneof(fc.uint8Array({ maxLength: 200 }), words(), named()),
    lie: fc.oneof(
      { weight: 8, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: -9, max: 9 }) },
    ),
  })
  .map(({ opcode, unique, node, body, lie }) => {
    const bytes = Buffer.alloc(REQUEST_HEADER + body.length)
    bytes.writeUInt32LE(Math.max(0, bytes.length + lie), 0)
    bytes.writeUInt32LE(opcode, 4)
    bytes.writeBigUInt64LE(unique, 8)
    bytes.writeBigUInt64LE(node, 16)
    bytes.set(body, REQUEST_HEADER)
    return { bytes, opcode, unique, isWhole: lie === 0 }
  })

/** Numbers as requests have them: most small, some as large as they get. */
function words(): fc.Arbitrary<Uint8Array> {
  const word = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(4096, 2 ** 31, 2 ** 32 - 1))
  return fc.array(word, { maxLength: 24 }).map((all) => new Uint8Array(Uint32Array.from(all).buffer))
}

/** Numbers, then names. */
function named(): fc.Arbitrary<Uint8Array> {
  const name = fc.constantFrom('data\0', 'x\0', '..\0', '\0', '.control\0', 'y', `${'n'.repeat(300)}\0`)
  return fc
    .tuple(fc.constantFrom(0, 8, 16), fc.integer({ min: 0, max: 255 }), fc.array(name, { maxLength: 3 }))
    .map(([length, fill, names]) => Buffer.concat([Buffer.alloc(length, fill), Buffer.from(names.join(''))]))
}

test('no request, however it is made, ends the server or gets an answer that is not one', () => {
  const kernel = new Kernel()
  kernel.makeDirectory(ROOT, 'data')
  fc.assert(
    fc.property(request, ({ bytes, unique, opcode, isWhole }) => {
      const reply = kernel.raw(bytes)
      if (reply === undefined) {
        const unanswered: number[] = [OP.forget, OP.batchForget, OP.interrupt]
        if (isWhole) expect(unanswered).toContain(opcode)
        return
      }
      expect(reply.unique).toBe(unique)
      expect(reply.errno).toBeGreaterThanOrEqual(0)
      if (reply.errno !== 0) expect(reply.body.length).toBe(0)
    }),
    { numRuns: 3000 },
  )
  expect(kernel.find('data'), 'it still works').toBeGreaterThan(ROOT)
})

test('each operation is refused when its request is one byte short', () => {
  const kernel = new Kernel()
  for (const [name, opcode] of Object.entries(OP)) {
    const { body, names } = SHAPES[opcode]!
    const enough = [Buffer.alloc(body), ...Array.from({ length: names }, () => 'x')]
    expect(kernel.ask(opcode, ROOT, ...enough)?.errno ?? 0, `${name} as it should be`).not.toBe(ENOSYS)
    if (body > 0) expect(kernel.ask(opcode, ROOT, Buffer.alloc(body - 1))?.errno, name).toBe(EINVAL)
    if (names > 0)
      expect(kernel.ask(opcode, ROOT, Buffer.alloc(body), Buffer.from('x'))?.errno, name).toBe(EINVAL)
  }
})

test('what the protocol does not know is ENOSYS', () => {
  expect(new Kernel().ask(48, ROOT)?.errno).toBe(ENOSYS)
})

test('numbers and names are read as they were written', () => {
  // any bytes but 0, one character a byte
  const name = fc.uint8Array({ min: 1, maxLength: 255 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
  const number = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.maxSafeNat())
  fc.assert(
    fc.property(number, name, (value, text) => {
      const view = new Request(512)
      view.setU64(64, value)
      expect(view.u64(64)).toBe(value)
      expect(view.bytes.readBigUInt64LE(64)).toBe(BigInt(value))
      view.bytes.writeBigInt64LE(-BigInt(value), 72)
      expect(view.i64(72)).toBe(value === 0 ? 0 : -value)
      view.bytes.write(`${text}\0`, 80, 'latin1')
      expect(view.name(80)).toBe(text)
      expect(view.afterName(80)).toBe(80 + text.length + 1)
      const reply = new Reply(512)
      reply.setU64(8, value)
      reply.setU32(16, value % 2 ** 32)
      expect(reply.bytes.readBigUInt64LE(24)).toBe(BigInt(value))
      expect(reply.u32(16)).toBe(value % 2 ** 32)
    }),
  )
})
