import fs, { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { freshPath } from '../testing/directory.js'
import { ENTRY_HEAD, entryLength, FRAME_HEAD, frameLength, HEADER_SIZE } from './format.js'
import { CorruptionError, Store, salvage, verify } from './index.js'

const SMALL = { segmentSize: 4096, reserveSize: 0 }
type Content = Record<string, string>

async function contentOf(store: Store): Promise<Content> {
  return Object.fromEntries((await store.scan()).map(([key, value]) => [key, value.toString('latin1')]))
}

/** A log and the content after each of its commits. */
interface Example {
  readonly dir: string
  /** The same as it was before it was closed. */
  readonly running: string
  readonly files: readonly string[]
  readonly states: readonly Content[]
  /** Where the last frame begins and ends in the last file. */
  readonly lastFrame: { readonly start: number; readonly end: number }
}

let example: Example

/** Frames from a file, such that as the value of 'a40' in the next frame they lie on a multiple of eight again. */
function framesOf(file: string, next: number): string {
  const valueAt = next + FRAME_HEAD + ENTRY_HEAD + 'a40'.length
  return '.'.repeat(7 - ((valueAt + 7) % 8)) + readFileSync(file).toString('latin1', HEADER_SIZE, 1600)
}

/** Every key is written once, so that a key says which commit it came with. */
async function makeExample(): Promise<Example> {
  const dir = freshPath()
  const store = await Store.open(dir, SMALL)
  const states: Content[] = [{}]
  const last = () => join(dir, `${String(store.stats().segments).padStart(10, '0')}.log`)
  /** Where the last frame ends: in the file are zeros behind it. */
  const end = () => {
    const { bytes } = store.stats()
    return segmentsIn(dir).reduce(
      (rest, path) => (path === last() ? rest : rest - statSync(path).size),
      bytes,
    )
  }
  let start = 0
  for (let commit = 1; commit <= 40; commit++) {
    if (commit > 1) start = end()
    // The last value holds a copy of frames of its own segment, which must not be taken for frames.
    const value = commit === 40 ? framesOf(last(), start) : `${commit}`.repeat(commit * 5)
    await store.batch([
      ['put', `a${commit}`, Buffer.from(value, 'latin1')],
      ['put', `b${commit}`, `${commit}`],
    ])
    states.push(await contentOf(store))
  }
  const files = Array.from(
    { length: store.stats().segments },
    (_, i) => `${String(i + 1).padStart(10, '0')}.log`,
  )
  const lastFrame = { start, end: end() }
  const running = freshPath()
  const isLock = (path: string) => basename(path).startsWith('lock-')
  cpSync(dir, running, { recursive: true, filter: (path) => !isLock(path) })
  await store.close()
  expect(statSync(join(dir, files.at(-1)!)).size).toBe(lastFrame.end)
  return { dir, running, files, states, lastFrame }
}

beforeAll(async () => {
  example = await makeExample()
})

function copyOf({ dir }: Pick<Example, 'dir'>): string {
  const copy = freshPath()
  cpSync(dir, copy, { recursive: true })
  return copy
}

function segmentsIn(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.log'))
    .sort()
    .map((name) => join(dir, name))
}

/** Opens, reads, writes, opens again: what was read must be `expected`, and the write must be there. */
async function expectContent(dir: string, expected: Content): Promise<Store['recovered']> {
  const store = await Store.open(dir, SMALL)
  expect(await contentOf(store)).toEqual(expected)
  await store.put('afterwards', 'x')
  await store.close()
  const again = await Store.open(dir, SMALL)
  expect(await contentOf(again)).toEqual({ ...expected, afterwards: 'x' })
  expect(again.recovered.tornTail).toBeUndefined()
  await again.close()
  return store.recovered
}

describe('after a power cut', () => {
  it('cuts off the last commit wherever it ends, and nothing else', async () => {
    const { files, states, lastFrame } = example
    const file = files.at(-1)!
    const { start, end } = lastFrame
    const everywhere = Array.from({ length: 40 }, (_, i) => start + i)
    const near = Array.from({ length: 20 }, (_, i) => end - 1 - i)
    const between = Array.from({ length: 20 }, (_, i) => start + Math.floor(((end - start) * i) / 20))
    for (const cut of [...everywhere, ...near, ...between]) {
      const dir = copyOf(example)
      truncateSync(join(dir, file), cut)
      const { tornTail } = await expectContent(dir, states.at(-2)!)
      expect(tornTail?.bytes ?? 0).toBe(cut - start)
    }
  })

  it('finds all of the last commit or nothing of it, whichever of its sectors are zero', async () => {
    const { files, states, lastFrame } = example
    const SECTOR = 512
    const first = Math.floor(lastFrame.start / SECTOR)
    const count = Math.ceil(lastFrame.end / SECTOR) - first
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(count - 1), { minLength: 1 }), async (zeroed) => {
        const dir = copyOf(example)
        const bytes = readFileSync(join(dir, files.at(-1)!))
        for (const sector of zeroed) {
          const from = Math.max((first + sector) * SECTOR, lastFrame.start)
          bytes.fill(0, from, Math.min((first + sector + 1) * SECTOR, lastFrame.end))
        }
        writeFileSync(join(dir, files.at(-1)!), bytes)
        await expectContent(dir, states.at(-2)!)
      }),
      { numRuns: 40 },
    )
  })

  it('takes the room behind the last commit for what it is, and cuts it off', async () => {
    const { running, files, states, lastFrame } = example
    const dir = copyOf({ dir: running })
    const file = join(dir, files.at(-1)!)
    expect(statSync(file).size).toBeGreaterThan(lastFrame.end)
    expect(await verify(dir)).toMatchObject({ damage: [], tornTail: undefined })
    const reader = await Store.open(dir, { readOnly: true })
    expect(await contentOf(reader)).toEqual(states.at(-1))
    expect(reader.recovered.tornTail).toBeUndefined()
    await reader.close()
    const writer = await Store.open(dir, SMALL)
    expect(writer.recovered.tornTail).toBeUndefined()
    expect(statSync(file).size).toBe(lastFrame.end)
    await writer.close()
    await expectContent(dir, states.at(-1)!)
  })

  it('cuts off a last commit that was torn in that room, wherever', async () => {
    const { running, files, states, lastFrame } = example
    const file = files.at(-1)!
    const whole = readFileSync(join(running, file))
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: lastFrame.end - lastFrame.start - 1 }),
        fc.boolean(),
        async (at, isHead) => {
          const dir = copyOf({ dir: running })
          const torn = Buffer.from(whole)
          if (isHead) torn.fill(0, lastFrame.start + at, lastFrame.end)
          else torn.fill(0, lastFrame.start, lastFrame.start + at)
          // what fits into the padding is no loss
          const isWhole = torn.equals(whole)
          writeFileSync(join(dir, file), torn)
          const { tornTail } = await expectContent(dir, states.at(isWhole ? -1 : -2)!)
          // where nothing but the padding was left, nothing is torn
          const isGone = torn.subarray(lastFrame.start).every((byte) => byte === 0)
          expect(tornTail?.offset).toBe(isWhole || isGone ? undefined : lastFrame.start)
        },
      ),
      {
        numRuns: 40,
        examples: [
          [1, true],
          [lastFrame.end - lastFrame.start - 1, false],
        ],
      },
    )
  })

  it('does not cut anything off when it opens to read', async () => {
    const dir = copyOf(example)
    const file = join(dir, example.files.at(-1)!)
    truncateSync(file, example.lastFrame.end - 1)
    const store = await Store.open(dir, { readOnly: true })
    expect(store.recovered.tornTail?.offset).toBe(example.lastFrame.start)
    expect(await contentOf(store)).toEqual(example.states.at(-2))
    await store.close()
    expect(statSync(file).size).toBe(example.lastFrame.end - 1)
    expect((await verify(dir)).damage).toEqual([])
  })
})

describe('damage', () => {
  const anywhere = fc.record({
    file: fc.nat(1000),
    offset: fc.nat(1_000_000),
    flip: fc.integer({ min: 1, max: 255 }),
  })

  it('of any byte is found, named, listed and salvaged around', async () => {
    await fc.assert(
      fc.asyncProperty(anywhere, async ({ file, offset, flip }) => {
        const dir = copyOf(example)
        const path = join(dir, example.files[file % example.files.length]!)
        const bytes = readFileSync(path)
        const at = offset % bytes.length
        bytes[at]! ^= flip
        writeFileSync(path, bytes)
        const isLastFrame = path.endsWith(example.files.at(-1)!) && at >= example.lastFrame.start
        if (isLastFrame) {
          const { tornTail } = await expectContent(dir, example.states.at(-2)!)
          expect(tornTail?.offset).toBe(example.lastFrame.start)
          return
        }
        const error = await Store.open(dir, SMALL).catch((error: unknown) => error)
        expect(error).toBeInstanceOf(CorruptionError)
        const { file: named, offset: from } = error as CorruptionError
        expect(named).toBe(path)
        expect(from).toBeLessThanOrEqual(at)
        const { damage } = await verify(dir)
        expect(damage).toHaveLength(1)
        expect(damage[0]!.offset).toBe(from)
        expect(at).toBeLessThan(from + damage[0]!.bytes)
        const to = freshPath()
        await salvage(dir, to)
        const store = await Store.open(to)
        const content = await contentOf(store)
        await store.close()
        const all = example.states.at(-1)!
        expect(all).toMatchObject(content)
        expect(Object.keys(content).length).toBeGreaterThanOrEqual(Object.keys(all).length - 2)
      }),
      { numRuns: 30 },
    )
  })

  it('of the only header, of any of its bytes, leaves all entries to be salvaged', async () => {
    const dir = freshPath()
    const store = await Store.open(dir)
    for (let i = 0; i < 5; i++) await store.put(`k${i}`, `${i}`)
    const content = await contentOf(store)
    await store.close()
    const path = join(dir, '0000000001.log')
    const bytes = readFileSync(path)
    for (let at = 0; at < HEADER_SIZE; at += 3) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 1
      writeFileSync(path, changed)
      await expect(Store.open(dir)).rejects.toThrow(CorruptionError)
      const to = freshPath()
      await salvage(dir, to, SMALL)
      const salvaged = await Store.open(to, SMALL)
      expect(await contentOf(salvaged)).toEqual(content)
      await salvaged.close()
    }
  })

  it('by truncation is found, or leaves a state that was once committed', async () => {
    await fc.assert(
      fc.asyncProperty(anywhere, async ({ file, offset }) => {
        const dir = copyOf(example)
        const name = example.files[file % example.files.length]!
        const path = join(dir, name)
        const length = offset % statSync(path).size
        truncateSync(path, length)
        const isLast = name === example.files.at(-1)
        const opened = await Store.open(dir, SMALL).catch((error: unknown) => error)
        if (opened instanceof Store) {
          expect(isLast).toBe(true)
          expect(example.states).toContainEqual(await contentOf(opened))
          await opened.close()
        } else {
          expect(opened).toBeInstanceOf(CorruptionError)
          expect((opened as CorruptionError).file).toBe(path)
          expect((await verify(dir)).damage.length).toBeGreaterThan(0)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('by the loss of whole commits at the end of a sealed segment is found', async () => {
    for (const name of example.files.slice(0, -1)) {
      const dir = copyOf(example)
      truncateSync(join(dir, name), HEADER_SIZE)
      const error = await Store.open(dir, SMALL).catch((error: unknown) => error)
      expect(error).toBeInstanceOf(CorruptionError)
      expect(basename((error as CorruptionError).file)).toBe(name)
      expect((await verify(dir)).damage).toHaveLength(1)
    }
  })

  it('by the loss of a segment is found', async () => {
    for (const name of example.files.slice(0, -1)) {
      const dir = copyOf(example)
      rmSync(join(dir, name))
      const error = await Store.open(dir, SMALL).catch((error: unknown) => error)
      expect(error).toBeInstanceOf(CorruptionError)
      expect(basename((error as CorruptionError).file)).toBe(name)
      expect((await verify(dir)).damage.map(({ file }) => basename(file))).toContain(name)
    }
  })

  it('of a compacted log is found too', async () => {
    const dir = copyOf(example)
    const store = await Store.open(dir, SMALL)
    await store.delete('a1')
    await store.compact()
    await store.close()
    const whole = freshPath()
    cpSync(dir, whole, { recursive: true })
    const first = join(dir, '0000000001.log')
    const bytes = readFileSync(first)
    for (let at = 0; at < bytes.length; at += 13) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 1
      writeFileSync(first, changed)
      await expect(Store.open(dir, SMALL)).rejects.toThrow(CorruptionError)
      writeFileSync(first, bytes.subarray(0, at))
      await expect(Store.open(dir, SMALL)).rejects.toThrow(CorruptionError)
    }
    writeFileSync(first, Buffer.concat([bytes, Buffer.alloc(8)]))
    await expect(Store.open(dir, SMALL)).rejects.toThrow(CorruptionError)
    rmSync(first)
    await expect(Store.open(dir, SMALL)).rejects.toThrow(CorruptionError)
    writeFileSync(first, bytes)
    await (await Store.open(dir, SMALL)).close()
    rmSync(segmentsIn(dir).at(-1)!)
    await expect(Store.open(dir, SMALL)).rejects.toThrow(CorruptionError)
    expect((await verify(dir)).damage).toHaveLength(1)
  })

  it('that happens while the store is open is found by a get, and leaves other keys readable', async () => {
    const dir = copyOf(example)
    const store = await Store.open(dir, SMALL)
    const path = join(dir, example.files[0]!)
    const bytes = readFileSync(path)
    bytes[bytes.indexOf('b1') + 2]! ^= 1
    writeFileSync(path, bytes)
    await expect(store.get('b1')).rejects.toThrow(CorruptionError)
    expect((await store.get('b2'))?.toString()).toBe('2')
    expect((await store.verify()).damage).toHaveLength(1)
    await store.close()
  })

  it('before frames that are larger than what is read at a time is found', async () => {
    const dir = freshPath()
    const store = await Store.open(dir, { reserveSize: 0 })
    const ends: number[] = []
    for (let i = 0; i < 4; i++) {
      await store.put(`k${i}`, `${i}`.repeat(300_000))
      ends.push(store.stats().bytes)
    }
    await store.close()
    const file = segmentsIn(dir)[0]!
    for (const damaged of [1, 2]) {
      const bytes = readFileSync(file)
      const at = ends[damaged]! - 1000
      bytes[at]! ^= 1
      const copy = copyOf({ dir })
      writeFileSync(join(copy, basename(file)), bytes)
      await expect(Store.open(copy, { reserveSize: 0 })).rejects.toThrow(CorruptionError)
      expect((await verify(copy)).damage).toHaveLength(1)
    }
  })

  it('that is there once and then not hides nothing from verify', async () => {
    const dir = copyOf(example)
    const { start } = example.lastFrame
    const file = segmentsIn(dir).at(-1)!
    const { readSync } = fs
    let left = 1
    const read = vi.spyOn(fs, 'readSync').mockImplementation(((
      ...args: [number, Uint8Array, number, number, number]
    ) => {
      const [fd, bytes, offset, , position] = args
      const count = readSync(...args)
      const at = start + 40 - position
      if (left > 0 && fs.fstatSync(fd).ino === fs.statSync(file).ino && at >= 0 && at < count) {
        left -= 1
        bytes[offset + at]! ^= 1
      }
      return count
    }) as typeof readSync)
    const found = await verify(dir)
    read.mockRestore()
    expect(left).toBe(0)
    expect(found).toEqual(await verify(dir))
    expect(found.tornTail).toBeUndefined()
  })

  it('by truncation while the store is open is found by a compaction, which drops nothing', async () => {
    const first = ['a1', 'b1'].map((key) => ({ key, value: Buffer.from(example.states[1]![key]!) }))
    const firstFrame = frameLength(first.reduce((sum, write) => sum + entryLength(write), 0))
    for (const keep of [HEADER_SIZE, HEADER_SIZE + firstFrame]) {
      const dir = copyOf(example)
      const store = await Store.open(dir, SMALL)
      for (let commit = 1; commit <= 40; commit++) await store.delete(`b${commit}`)
      truncateSync(join(dir, example.files[0]!), keep)
      await expect(store.compact()).rejects.toThrow(CorruptionError)
      await expect(store.get('a3')).rejects.toThrow(CorruptionError)
      expect((await store.get('a40'))?.length).toBe(example.states[40]!.a40!.length)
      await store.close()
    }
  })
})
