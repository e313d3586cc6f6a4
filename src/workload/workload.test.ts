import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.js'
import type { Operation } from '../history/events.js'
import type { WorkloadSpec } from './spec.js'
import { createWorkload } from './workload.js'

const SPEC: WorkloadSpec = {
  keys: 48,
  clients: 4,
  depth: 4,
  sizes: { largest: 65_536 },
  mix: { put: 50, delete: 8, batch: 6, get: 30, scan: 6 },
}
const NOTHING = { put: 0, delete: 0, batch: 0, get: 0, scan: 0 }

function writesOf(op: Operation) {
  return op.f === 'batch' ? op.writes : op.f === 'put' || op.f === 'delete' ? [op] : []
}

const operations = (spec: WorkloadSpec, count: number, seed = 'seed') => {
  const workload = createWorkload(seed, spec)
  return Array.from({ length: count }, (_, index) => workload.operation(index))
}

describe('createWorkload', () => {
  it('makes different keys of every shape', () => {
    const { keys } = createWorkload('seed', SPEC)
    expect(new Set(keys).size).toBe(48)
    expect(keys.filter((key) => key.startsWith('account/')).length).toBeGreaterThan(5)
    expect(keys.some((key) => /\p{Extended_Pictographic}/u.test(key) && key.codePointAt(0)! > 0xffff)).toBe(
      true,
    )
    expect(keys.some((key) => key.length > 200)).toBe(true)
    expect(Math.max(...keys.map((key) => Buffer.byteLength(key)))).toBeLessThan(256)
    expect(keys.filter((key) => /^k\d+$/.test(key)).length).toBeGreaterThan(16)
    expect(new Set(createWorkload('seed', { ...SPEC, keys: 5000 }).keys).size).toBe(5000)
  })

  it('gives the same operations in every release', () => {
    expect(operations(SPEC, 4)).toMatchInlineSnapshot(`
      [
        {
          "f": "put",
          "key": "k24",
          "seq": 1,
          "size": 0,
        },
        {
          "f": "get",
          "key": "k01",
        },
        {
          "f": "put",
          "key": "k22",
          "seq": 33,
          "size": 512,
        },
        {
          "f": "get",
          "key": "schlüssel-47",
        },
      ]
    `)
  })

  it('makes an operation from its number alone', () => {
    const workload = createWorkload('seed', SPEC)
    const late = workload.operation(999)
    expect(operations(SPEC, 1000)[999]).toEqual(late)
    expect(workload.operation(999, { ...SPEC.mix })).toEqual(late)
    expect(operations(SPEC, 50, 'another')).not.toEqual(operations(SPEC, 50))
  })

  it('lets a client write its own keys only, with numbers that no other write has', () => {
    const shape = fc.record({ clients: fc.integer({ min: 1, max: 9 }), more: fc.nat(40), seed: fc.string() })
    fc.assert(
      fc.property(shape, ({ clients, more, seed }) => {
        const spec = { ...SPEC, clients, keys: clients + more }
        const workload = createWorkload(seed, spec)
        const seqs = new Set<number>()
        for (let index = 0; index < 100; index++) {
          const op = workload.operation(index)
          const writes = writesOf(op)
          const keys = op.f === 'get' ? [op.key] : writes.map((write) => write.key)
          for (const key of keys) expect(workload.keys.indexOf(key) % clients).toBe(index % clients)
          expect(new Set(keys).size).toBe(keys.length)
          expect(writes.length).toBeLessThanOrEqual(8)
          for (const { seq } of writes) {
            expect(seq).toBeGreaterThan(0)
            expect(seqs.has(seq)).toBe(false)
            seqs.add(seq)
          }
        }
      }),
      { numRuns: 50 },
    )
  })

  it('follows the weights', () => {
    const kinds = operations(SPEC, 5000).map((op) => op.f)
    const share = (f: string) => kinds.filter((kind) => kind === f).length / kinds.length
    expect(share('put')).toBeCloseTo(0.5, 1)
    expect(share('get')).toBeCloseTo(0.3, 1)
    expect(share('batch')).toBeGreaterThan(0.04)
    expect(operations({ ...SPEC, mix: { ...NOTHING, scan: 1 } }, 200).every((op) => op.f === 'scan')).toBe(
      true,
    )
    const putsOnly = operations({ ...SPEC, mix: { ...NOTHING, put: 3, batch: 1 } }, 200)
    expect(putsOnly.flatMap(writesOf).every((write) => write.f === 'put')).toBe(true)
  })

  it('covers small sizes, pages and powers of two, and keeps the median small', () => {
    const sizes = operations({ ...SPEC, mix: { ...NOTHING, put: 1 } }, 5000).flatMap((op) =>
      op.f === 'put' ? [op.size] : [],
    )
    const sorted = sizes.toSorted((a, b) => a - b)
    expect(sorted[2500]).toBeGreaterThan(150)
    expect(sorted[2500]).toBeLessThan(500)
    expect(sorted.at(-1)).toBe(65_536)
    for (const size of [0, 1, 4095, 4096, 4097, 8192, 1024, 32_768]) expect(sizes).toContain(size)
    expect(sizes.reduce((sum, size) => sum + size) / sizes.length).toBeLessThan(3000)
  })

  it('never exceeds the largest size, however small', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9000 }), (largest) => {
        for (const op of operations({ ...SPEC, sizes: { largest }, mix: { ...NOTHING, put: 1 } }, 60)) {
          expect(op).toSatisfy(
            (put: { size: number }) => Number.isInteger(put.size) && put.size >= 0 && put.size <= largest,
          )
        }
      }),
    )
    const fixed = operations({ ...SPEC, sizes: { fixed: 77 }, mix: { ...NOTHING, put: 1 } }, 20)
    expect(fixed.every((op) => op.f === 'put' && op.size === 77)).toBe(true)
  })

  it('takes operations of the caller, with the numbers of their index', () => {
    const workload = createWorkload('seed', SPEC)
    expect(workload.put(3, 'k', 9)).toEqual({ f: 'put', key: 'k', seq: 49, size: 9 })
    expect(workload.delete(4, 'k')).toEqual({ f: 'delete', key: 'k', seq: 65 })
  })

  it('says what is wrong with a spec that it cannot follow', () => {
    expect(() => createWorkload('seed', { ...SPEC, keys: 3 })).toThrow(UsageError)
    expect(() => createWorkload('seed', { ...SPEC, mix: NOTHING }).operation(0)).toThrow(/weight 0/)
  })
})
