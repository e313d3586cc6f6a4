import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ERROR_KINDS, OPTIONAL_OPS, REQUIRED_OPS, type Request } from './protocol.js'
import { checkResponse, helloFrom } from './validate.js'

const text = fc.string({ unit: 'grapheme' })

const REQUESTS: readonly Request[] = [
  { op: 'hello' },
  { op: 'open', dir: '/data' },
  { op: 'put', key: 'k', value: 'v' },
  { op: 'get', key: 'k' },
  { op: 'delete', key: 'k' },
  { op: 'batch', ops: [['put', 'a', '1']] },
  { op: 'scan', limit: 10 },
  { op: 'sync' },
  { op: 'compact' },
  { op: 'close' },
]

const error = fc.record({
  code: text,
  kind: fc.constantFrom(...ERROR_KINDS),
  recoverable: fc.boolean(),
  message: text,
})

/** Fields that a right answer to the operation has; where it needs none, anything may be in it. */
const FIELDS: Readonly<Record<Request['op'], fc.Arbitrary<object>>> = {
  hello: fc.record({
    protocol: fc.constant(1),
    name: text,
    version: text,
    ops: fc.array(fc.oneof(text, fc.constantFrom(...REQUIRED_OPS, ...OPTIONAL_OPS))),
  }),
  open: fc.record({ mode: fc.constantFrom('read-write', 'read-only') }),
  put: fc.object(),
  get: fc.record({ value: fc.option(text) }),
  delete: fc.object(),
  batch: fc.object(),
  scan: fc.record({ entries: fc.array(fc.tuple(text, text)) }),
  sync: fc.object(),
  compact: fc.object(),
  close: fc.object(),
}

const anyRequest = fc.constantFrom(...REQUESTS)

const rightAnswer = anyRequest.chain((request) => {
  const ok = FIELDS[request.op].map((fields) => ({ ...fields, id: 1, ok: true }))
  const refused = error.map((error) => ({ id: 1, ok: false, error }))
  return fc.tuple(fc.constant(request), request.op === 'hello' ? ok : fc.oneof(ok, refused))
})

describe('checkResponse', () => {
  it('accepts every right answer as it is', () => {
    fc.assert(
      fc.property(rightAnswer, ([request, body]) => {
        expect(checkResponse(request, body)).toEqual({ response: body })
      }),
    )
  })

  it('accepts any JSON value or says what is wrong with it, and never throws', () => {
    fc.assert(
      fc.property(anyRequest, fc.jsonValue(), (request, body) => {
        const checked = checkResponse(request, body)
        expect('mistake' in checked ? checked.mistake : (body as { ok: unknown }).ok).toBeTruthy()
      }),
    )
  })

  it('finds the one field that is missing or of another type', () => {
    const needed: [Request['op'], object, string][] = [
      ['hello', { protocol: 1, name: 'n', version: '1', ops: [] }, 'protocol'],
      ['hello', { protocol: 1, name: 'n', version: '1', ops: [] }, 'name'],
      ['hello', { protocol: 1, name: 'n', version: '1', ops: [] }, 'version'],
      ['hello', { protocol: 1, name: 'n', version: '1', ops: [] }, 'ops'],
      ['open', { mode: 'read-only' }, 'mode'],
      ['get', { value: null }, 'value'],
      ['scan', { entries: [['k', 'v']] }, 'entries'],
    ]
    for (const [op, fields, field] of needed) {
      const request = REQUESTS.find((request) => request.op === op) as Request
      expect(checkResponse(request, { ok: true, ...fields })).toHaveProperty('response')
      for (const wrong of [undefined, 7, 'seven', [['k', 1]], [['k']], [7]]) {
        const body = { ok: true, ...fields, [field]: wrong }
        if (typeof wrong === 'string' && ['name', 'version', 'value'].includes(field)) continue
        expect(checkResponse(request, body), `${op} ${field} ${JSON.stringify(wrong)}`).toEqual({
          mistake: expect.stringContaining(`"${field}"`),
        })
      }
    }
  })

  it('finds what is wrong with an error', () => {
    const right = { code: 'ENOSPC', kind: 'disk-full', recoverable: true, message: 'full' }
    const request: Request = { op: 'put', key: 'k', value: 'v' }
    expect(checkResponse(request, { ok: false, error: right })).toHaveProperty('response')
    expect(checkResponse(request, { ok: false })).toEqual({ mistake: '"error" must be an object' })
    for (const field of Object.keys(right)) {
      const body = { ok: false, error: { ...right, [field]: 7 } }
      expect(checkResponse(request, body)).toEqual({ mistake: expect.stringContaining(`"error.${field}"`) })
    }
  })

  it('lets no target refuse to say who it is', () => {
    const error = { code: 'E', kind: 'internal', recoverable: false, message: 'no driver' }
    expect(checkResponse({ op: 'hello' }, { ok: false, error })).toEqual({
      mistake: 'hello must be answered, not refused: "no driver"',
    })
  })
})

describe('helloFrom', () => {
  it('always has the required operations, and none that this tool does not know', () => {
    const fields = { protocol: 1, name: 'n', version: '2', ops: ['delete', 'vacuum', 'put'] }
    expect(helloFrom({ ok: true, ...fields })).toEqual({ ...fields, ops: ['put', 'get', 'scan', 'delete'] })
  })
})
