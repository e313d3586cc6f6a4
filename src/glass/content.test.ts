import { closeSync, mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshPath } from '../testing/directory.js'
import { BLOCK, Blocks, Quota } from './blocks.js'
import { Content } from './content.js'

let fd: number
beforeAll(() => {
  const directory = freshPath()
  mkdirSync(directory)
  fd = openSync(path.join(directory, 'backing'), 'w+')
})
afterAll(() => closeSync(fd))

const ROOM = 64 * BLOCK
const LARGEST = 12 * BLOCK

function emptyContent(room = ROOM): { content: Content; store: Blocks; quota: Quota } {
  const quota = new Quota(room, 10)
  const store = new Blocks(fd, quota)
  return { content: new Content(store), store, quota }
}

function bytesOf(content: Content): Buffer {
  const bytes = Buffer.alloc(content.size, 0xee)
  content.read(0, content.size, bytes, 0)
  return bytes
}

/** What a file should be: as everybody sees it, and as the disk has it. */
class Model {
  current: Buffer = Buffer.alloc(0)
  disk: Buffer = Buffer.alloc(0)
  /** Blocks that a failed sync gave up. */
  readonly lost = new Set<number>()

  write(offset: number, data: Buffer): void {
    this.current = resized(this.current, Math.max(this.current.length, offset + data.length))
    data.copy(this.current, offset)
    for (let at = offset; at < offset + data.length; at += 1) this.lost.delete(Math.floor(at / BLOCK))
  }

  punch(offset: number, length: number): void {
    this.current.fill(
      0,
      Math.min(offset, this.current.length),
      Math.min(offset + length, this.current.length),
    )
  }

  sync(): void {
    const before = resized(this.disk, this.current.length)
    this.disk = Buffer.from(this.current)
    for (const index of this.lost) before.copy(this.disk, index * BLOCK, index * BLOCK, (index + 1) * BLOCK)
  }

  forsake(): void {
    this.disk = resized(this.disk, this.current.length)
    for (let index = 0; index * BLOCK < this.disk.length; index += 1) {
      const [one, other] = [this.disk, this.current].map((each) =>
        each.subarray(index * BLOCK, (index + 1) * BLOCK),
      )
      if (!one!.equals(other!)) this.lost.add(index)
    }
  }

  evict(): void {
    const disk = resized(this.disk, this.current.length)
    for (const index of this.lost) disk.copy(this.current, index * BLOCK, index * BLOCK, (index + 1) * BLOCK)
    this.lost.clear()
  }

  cut(): void {
    this.current = Buffer.from(this.disk)
    this.lost.clear()
  }
}

function resized(bytes: Buffer, length: number): Buffer {
  const grown = Buffer.alloc(length)
  bytes.copy(grown, 0, 0, Math.min(length, bytes.length))
  return grown
}

const offset = fc.oneof(
  fc.integer({ min: 0, max: LARGEST - 1 }),
  fc.constantFrom(0, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK),
)
const length = fc.oneof(fc.integer({ min: 1, max: 3 * BLOCK }), fc.constantFrom(1, BLOCK, 2 * BLOCK))
const fill = fc.integer({ min: 1, max: 255 })
const write = fc.oneof(
  fc.record({ op: fc.constant('write' as const), offset, length, fill }),
  fc.record({ op: fc.constant('append' as const), length: fc.integer({ min: 1, max: 300 }), fill }),
)
const sync = fc.constantFrom({ op: 'sync' as const }, { op: 'cut' as const })
const change = fc.oneof(
  { weight: 6, arbitrary: write },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('truncate' as const), offset }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('punch' as const), offset, length }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('allocate' as const), offset, length }) },
  { weight: 3, arbitrary: sync },
)
const failure = fc.oneof(
  { weight: 6, arbitrary: write },
  { weight: 2, arbitrary: fc.constantFrom({ op: 'forsake' as const }, { op: 'evict' as const }) },
  { weight: 2, arbitrary: sync },
)
type Step =
  | (typeof change extends fc.Arbitrary<infer T> ? T : never)
  | (typeof failure extends fc.Arbitrary<infer T> ? T : never)

function perform(step: Step, content: Content, model: Model): void {
  switch (step.op) {
    case 'write':
    case 'append': {
      const data = Buffer.alloc(step.length, step.fill)
      const at = step.op === 'write' ? step.offset : content.size
      expect(content.write(at, data.length, data, 0)).toBe(data.length)
      model.write(at, data)
      return
    }
    case 'truncate':
      content.truncate(step.offset)
      model.current = resized(model.current, step.offset)
      return
    case 'punch':
      content.punch(step.offset, step.length)
      model.punch(step.offset, step.length)
      return
    case 'allocate':
      expect(content.allocate(step.offset, step.length)).toBe(true)
      return
    default:
      content[step.op]()
      model[step.op]()
  }
}

for (const [name, steps] of [
  ['content is what was written, and after a power cut what was synced', change],
  ['a failed sync is noticed only when the page cache is lost', failure],
] as const) {
  test(name, () => {
    fc.assert(
      fc.property(fc.array(steps as fc.Arbitrary<Step>, { maxLength: 40 }), (all) => {
        const { content, quota } = emptyContent()
        const model = new Model()
        for (const step of all) {
          perform(step, content, model)
          expect(bytesOf(content).equals(model.current), step.op).toBe(true)
          expect(quota.freeBlocks).toBe(quota.blocks - content.blocks)
        }
        content.cut()
        model.cut()
        expect(bytesOf(content).equals(model.current), 'the power cut at the end').toBe(true)
        content.discard()
        expect(quota.freeBlocks).toBe(quota.blocks)
      }),
      { numRuns: 300 },
    )
  })
}

test('each block can be read as it was before the sync that changed it last', () => {
  const steps = fc.oneof({ weight: 3, arbitrary: write }, { weight: 1, arbitrary: sync })
  fc.assert(
    fc.property(fc.array(steps as fc.Arbitrary<Step>, { maxLength: 40 }), (all) => {
      const { content, store } = emptyContent()
      store.keepsPrevious = true
      const model = new Model()
      /** The disk before and after each sync. */
      const syncs: [Buffer, Buffer][] = []
      for (const [count, step] of [...all, { op: 'sync' } as const].entries()) {
        const before = model.disk
        // what is written is never what was there before
        perform('fill' in step ? { ...step, fill: count + 1 } : step, content, model)
        if (step.op === 'sync') syncs.push([before, model.disk])
      }
      const found = Buffer.alloc(BLOCK)
      for (let index = 0; index * BLOCK < content.size; index += 1) {
        const blockOf = (disk: Buffer) => resized(disk.subarray(index * BLOCK), BLOCK)
        // the last block of a file counts as changed where the file grew
        const changed = ([before, after]: [Buffer, Buffer]) =>
          !blockOf(before).equals(blockOf(after)) ||
          (after.length > before.length && Math.floor(before.length / BLOCK) === index)
        const last = syncs.findLast(changed)
        content.readPrevious(index, found)
        expect(found.equals(last === undefined ? Buffer.alloc(BLOCK) : blockOf(last[0]))).toBe(true)
      }
    }),
    { numRuns: 300 },
  )
})

test('no block is used twice or lost', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(change, failure) as fc.Arbitrary<Step>, { maxLength: 60 }),
      fc.boolean(),
      (all, keeps) => {
        const quota = new Quota(ROOM, 10)
        const blocks = new Blocks(fd, quota)
        blocks.keepsPrevious = keeps
        const out = new Set<number>()
        const allocate = blocks.allocate.bind(blocks)
        blocks.allocate = () => {
          const block = allocate()
          expect(out.has(block)).toBe(false)
          out.add(block)
          return block
        }
        const release = blocks.release.bind(blocks)
        blocks.release = (block) => {
          expect(out.delete(block)).toBe(true)
          release(block)
        }
        const content = new Content(blocks)
        for (const step of all) perform(step, content, new Model())
        content.discard()
        expect(out.size).toBe(0)
      },
    ),
    { numRuns: 300 },
  )
})

test('a write ends where the room ends, and one that finds none writes nothing', () => {
  const { content } = emptyContent(2 * BLOCK)
  const data = Buffer.alloc(3 * BLOCK, 7)
  expect(content.write(100, data.length, data, 0)).toBe(2 * BLOCK - 100)
  expect(content.write(2 * BLOCK, 1, data, 0)).toBe(0)
  expect(content.write(0, 10, data, 0), 'over what is there').toBe(10)
  expect(content.allocate(0, 3 * BLOCK)).toBe(false)
  content.punch(0, BLOCK)
  expect(content.write(2 * BLOCK, 1, data, 0), 'into the room of a hole').toBe(1)
})

test('data and holes are found', () => {
  const { content } = emptyContent()
  content.write(5 * BLOCK + 10, 3, Buffer.from('abc'), 0)
  content.truncate(9 * BLOCK)
  expect(content.seek(0, 'data')).toBe(5 * BLOCK)
  expect(content.seek(5 * BLOCK + 11, 'data')).toBe(5 * BLOCK + 11)
  expect(content.seek(5 * BLOCK, 'hole')).toBe(6 * BLOCK)
  expect(content.seek(6 * BLOCK, 'data')).toBeUndefined()
  expect(content.seek(9 * BLOCK, 'hole')).toBeUndefined()
  content.allocate(0, 9 * BLOCK)
  expect(content.seek(0, 'data'), 'room that was taken is no data').toBe(5 * BLOCK)
})

test('a hole of terabytes costs nothing', () => {
  const { content } = emptyContent()
  content.truncate(2 ** 41)
  content.write(2 ** 41 - 10, 10, Buffer.from('0123456789'), 0)
  expect(content.blocks).toBe(1)
  expect(content.seek(0, 'data')).toBe(2 ** 41 - BLOCK)
  content.sync()
  content.truncate(5)
  content.cut()
  expect(bytesTail(content)).toBe('0123456789')
})

function bytesTail(content: Content): string {
  const tail = Buffer.alloc(10)
  content.read(content.size - 10, 10, tail, 0)
  return tail.toString()
}
