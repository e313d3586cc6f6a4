import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Kernel } from '../testing/fuse.js'
import { OPEN, ROOT } from './protocol.js'
import { readTrace } from './trace.js'

function read(kernel: Kernel) {
  kernel.flushTrace()
  return [...readTrace(kernel.trace)]
}

test('the trace has every operation, with its path, its range and what became of it', () => {
  const kernel = new Kernel()
  const data = kernel.makeDirectory(ROOT, 'data')
  kernel.time += 1.5
  kernel.pid = 4711
  const { node } = kernel.create(data, 'log')
  kernel.write(node, 5000, Buffer.from('text'), OPEN.dsync)
  kernel.rename(ROOT, 'data', ROOT, 'moved')
  kernel.read(node, 5000, 100)
  kernel.unlink(data, 'none')
  const start = kernel.time - 1.5
  expect(read(kernel)).toMatchObject([
    { operation: 'mkdir', time: start, path: '', names: ['data'] },
    { operation: 'create', time: kernel.time, thread: 4711, path: 'data', names: ['log'] },
    { operation: 'write', path: 'data/log', offset: 5000, length: 4, result: 4 },
    { operation: 'rename2', path: '', names: ['data', 'moved'] },
    { operation: 'read', path: 'moved/log', offset: 5000, length: 100, result: 4 },
    { operation: 'unlink', path: 'moved', names: ['none'], result: 0, errno: 'ENOENT' },
  ])
})

test('the trace has the bytes where that was asked for', () => {
  const kernel = new Kernel({ bytes: true })
  const { node } = kernel.create(ROOT, 'file')
  const long = Buffer.alloc(400_000, 'long')
  kernel.write(node, 0, long)
  kernel.read(node, 0, 4)
  expect(read(kernel).map(({ bytes }) => bytes?.toString())).toEqual([undefined, long.toString(), 'long'])
})

test('a trace that was cut short is read as far as it goes', () => {
  const kernel = new Kernel()
  const { node } = kernel.create(ROOT, 'file')
  for (let index = 0; index < 50; index += 1) kernel.write(node, index * 1000, Buffer.from('text'))
  const whole = read(kernel)
  const bytes = readFileSync(kernel.trace)
  fc.assert(
    fc.property(fc.integer({ min: 16, max: bytes.length }), (length) => {
      writeFileSync(kernel.trace, bytes)
      truncateSync(kernel.trace, length)
      const found = [...readTrace(kernel.trace)]
      expect(found).toEqual(whole.slice(0, found.length))
      expect(bytes.length - length < 5 || found.length < whole.length).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('a file that is no trace is refused', () => {
  const kernel = new Kernel()
  writeFileSync(kernel.trace, 'something else altogether')
  expect(() => [...readTrace(kernel.trace)]).toThrow('no trace of glass')
})
