import { constants } from 'node:os'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Kernel, nodeOf } from '../testing/fuse.js'
import type { CutAnswer } from './commands.js'
import { RENAME, ROOT, XATTR } from './protocol.js'

const { EEXIST, EINVAL, EISDIR, ENAMETOOLONG, ENODATA, ENOENT, ENOSPC, ENOTEMPTY, EPERM, ERANGE, ESTALE } =
  constants.errno

function mounted(options: ConstructorParameters<typeof Kernel>[0] = {}) {
  const kernel = new Kernel(options)
  const data = kernel.makeDirectory(ROOT, 'data')
  return { kernel, data }
}

/** Makes a file with a text in it. */
function file(kernel: Kernel, parent: number, name: string, text: string): number {
  const { node } = kernel.create(parent, name)
  kernel.write(node, 0, Buffer.from(text))
  return node
}

function names(kernel: Kernel, directory: number): string[] {
  const handle = Number(kernel.ask('opendir', directory, [0, 4], [0, 4])!.body.readBigUInt64LE(0))
  const found: string[] = []
  for (let offset = 0; ; ) {
    const { body } = kernel.ask(
      'readdir',
      directory,
      [handle, 8],
      [offset, 8],
      [120, 4],
      [0, 4],
      Buffer.alloc(16),
    )!
    if (body.length === 0) return found
    for (let at = 0; at < body.length; ) {
      const length = body.readUInt32LE(at + 16)
      found.push(body.toString('latin1', at + 24, at + 24 + length))
      offset = Number(body.readBigUInt64LE(at + 8))
      at += 24 + Math.ceil(length / 8) * 8
    }
  }
}

function attributes(kernel: Kernel, node: number) {
  const { body } = kernel.ask('getattr', node, Buffer.alloc(16))!
  return {
    size: Number(body.readBigUInt64LE(16 + 8)),
    mode: body.readUInt32LE(16 + 60),
    links: body.readUInt32LE(16 + 64),
    uid: body.readUInt32LE(16 + 68),
    gid: body.readUInt32LE(16 + 72),
  }
}

function chmod(kernel: Kernel, node: number, mode: number): void {
  const body = Buffer.alloc(88)
  body.writeUInt32LE(1, 0)
  body.writeUInt32LE(mode, 68)
  kernel.ask('setattr', node, body)
}

describe('names', () => {
  it('are listed a piece at a time, however many there are', () => {
    const { kernel, data } = mounted({ inodes: 400 })
    const made = Array.from({ length: 300 }, (_, index) => `file-${index}`)
    for (const name of made) kernel.create(data, name)
    expect(names(kernel, data)).toEqual(['.', '..', ...made])
  })

  it('are bytes, of any kind but 0 and /, up to 255', () => {
    const { kernel, data } = mounted()
    const odd = '\x01\xff\xfe é'
    const node = file(kernel, data, odd, 'odd')
    expect(kernel.find('data') > 0 && nodeOf(kernel.ask('lookup', data, odd))).toBe(node)
    expect(kernel.ask('lookup', data, 'n'.repeat(256))?.errno).toBe(ENAMETOOLONG)
    expect(kernel.ask('mkdir', data, [0o755, 4], [0, 4], 'n'.repeat(256))?.errno).toBe(ENAMETOOLONG)
    expect(kernel.makeDirectory(data, 'n'.repeat(255))).toBeGreaterThan(0)
  })

  it('can lead to the same file, which is there until the last is gone', () => {
    const { kernel, data } = mounted()
    const node = file(kernel, data, 'one', 'text')
    expect(kernel.ask('link', data, [node, 8], 'two')?.errno).toBe(0)
    expect(attributes(kernel, node).links).toBe(2)
    kernel.unlink(data, 'one')
    expect(kernel.text(kernel.find('data/two'))).toBe('text')
    expect(kernel.ask('link', data, [data, 8], 'directory')?.errno).toBe(EPERM)
    expect(kernel.ask('link', data, [node, 8], 'two')?.errno).toBe(EEXIST)
  })

  it('move, over what is there, and keep what the flags say', () => {
    const { kernel, data } = mounted()
    const one = file(kernel, data, 'one', '1')
    const two = file(kernel, data, 'two', '2')
    expect(kernel.rename(data, 'one', data, 'two', RENAME.noReplace)?.errno).toBe(EEXIST)
    expect(kernel.rename(data, 'one', data, 'two', RENAME.exchange)?.errno).toBe(0)
    expect([kernel.find('data/one'), kernel.find('data/two')]).toEqual([two, one])
    expect(kernel.rename(data, 'one', data, 'two')?.errno).toBe(0)
    expect([kernel.find('data/one'), kernel.find('data/two')]).toEqual([0, two])
    expect(kernel.rename(data, 'none', data, 'two')?.errno).toBe(ENOENT)
    expect(kernel.rename(data, 'two', data, 'two', RENAME.whiteout)?.errno).toBe(EINVAL)
  })

  it('of directories count links, and lead back to where they are', () => {
    const { kernel, data } = mounted()
    const a = kernel.makeDirectory(data, 'a')
    const b = kernel.makeDirectory(data, 'b')
    const inner = kernel.makeDirectory(a, 'inner')
    expect([attributes(kernel, a).links, attributes(kernel, b).links]).toEqual([3, 2])
    expect(kernel.rename(a, 'inner', b, 'inner')?.errno).toBe(0)
    expect([attributes(kernel, a).links, attributes(kernel, b).links]).toEqual([2, 3])
    expect(nodeOf(kernel.ask('lookup', inner, '..'))).toBe(b)
    expect(kernel.rename(data, 'b', inner, 'b')?.errno, 'into itself').toBe(EINVAL)
    expect(kernel.rename(data, 'a', data, 'b')?.errno, 'over one that is not empty').toBe(ENOTEMPTY)
    expect(kernel.ask('rmdir', data, 'b')?.errno).toBe(ENOTEMPTY)
    expect(kernel.unlink(data, 'a')?.errno).toBe(EISDIR)
    expect(kernel.ask('rmdir', data, 'a')?.errno).toBe(0)
    expect(attributes(kernel, data).links).toBe(3)
  })

  it('of a directory with the set-group-ID bit have its group', () => {
    const { kernel, data } = mounted()
    const body = Buffer.alloc(88)
    body.writeUInt32LE(1 | 4, 0)
    body.writeUInt32LE(0o2755, 68)
    body.writeUInt32LE(42, 80)
    kernel.ask('setattr', data, body)
    expect(attributes(kernel, kernel.create(data, 'file').node)).toMatchObject({ gid: 42, mode: 0o100644 })
    expect(attributes(kernel, kernel.makeDirectory(data, 'inner')).mode).toBe(0o42755)
  })
})

describe('room', () => {
  it('for files ends with the quota, and is given back', () => {
    const { kernel, data } = mounted({ inodes: 3 })
    kernel.create(data, 'one')
    const { node } = kernel.create(data, 'two')
    expect(kernel.ask('mkdir', data, [0o755, 4], [0, 4], 'three')?.errno).toBe(ENOSPC)
    kernel.unlink(data, 'two')
    expect(kernel.ask('mkdir', data, [0o755, 4], [0, 4], 'three')?.errno, 'it is still open').toBe(ENOSPC)
    kernel.ask('forget', node, [1, 8])
    expect(kernel.ask('mkdir', data, [0o755, 4], [0, 4], 'three')?.errno).toBe(0)
  })

  it('of a file that has no name is given back with its last reference', () => {
    const { kernel, data } = mounted({ size: 8192 })
    const node = file(kernel, data, 'file', 'x'.repeat(8192))
    kernel.unlink(data, 'file')
    expect(kernel.text(node)).toHaveLength(8192)
    const other = kernel.create(data, 'other').node
    expect(kernel.write(other, 0, Buffer.from('y'))?.errno).toBe(ENOSPC)
    kernel.ask('forget', node, [1, 8])
    expect(kernel.write(other, 0, Buffer.from('y'))?.errno).toBe(0)
    expect(kernel.read(node, 0, 1)?.errno).toBe(ESTALE)
  })
})

it('keeps extended attributes', () => {
  const { kernel, data } = mounted()
  const set = (name: string, value: string, flags: number) =>
    kernel.ask('setxattr', data, [value.length, 4], [flags, 4], name, Buffer.from(value))?.errno
  const get = (name: string, size: number) => kernel.ask('getxattr', data, [size, 4], [0, 4], name)!
  expect(set('user.a', 'value', XATTR.create)).toBe(0)
  expect(set('user.a', 'other', XATTR.create)).toBe(EEXIST)
  expect(set('user.b', 'other', XATTR.replace)).toBe(ENODATA)
  expect(get('user.a', 0).body.readUInt32LE(0)).toBe(5)
  expect(get('user.a', 100).body.toString()).toBe('value')
  expect(get('user.a', 3).errno).toBe(ERANGE)
  expect(kernel.ask('listxattr', data, [100, 4], [0, 4])!.body.toString()).toBe('user.a\0')
  expect(kernel.ask('removexattr', data, 'user.a')?.errno).toBe(0)
  expect(get('user.a', 100).errno).toBe(ENODATA)
})

describe('a power cut', () => {
  it('takes a name whose directory was not synced, and the file with it, synced or not', () => {
    const { kernel, data } = mounted()
    kernel.syncNames(ROOT)
    const kept = file(kernel, data, 'kept', 'kept')
    kernel.fsync(kept)
    kernel.syncNames(data)
    const lost = file(kernel, data, 'lost', 'lost')
    kernel.fsync(lost)
    expect(kernel.command<CutAnswer>({ command: 'cut' })).toEqual({ files: 0, names: 1 })
    expect(names(kernel, data)).toEqual(['.', '..', 'kept'])
    expect(kernel.text(kept)).toBe('kept')
  })

  it('leaves a file empty whose name was synced and whose content was not', () => {
    const { kernel, data } = mounted()
    kernel.syncNames(ROOT)
    const node = file(kernel, data, 'file', 'text')
    kernel.syncNames(data)
    kernel.command({ command: 'cut' })
    expect([kernel.find('data/file'), attributes(kernel, node).size]).toEqual([node, 0])
  })

  it('brings back what was unlinked, with the content that was synced', () => {
    const { kernel, data } = mounted({ inodes: 2, size: 8192 })
    kernel.syncNames(ROOT)
    const node = file(kernel, data, 'file', 'old')
    kernel.fsync(node)
    kernel.syncNames(data)
    kernel.write(node, 0, Buffer.from('new'))
    kernel.unlink(data, 'file')
    kernel.ask('forget', node, [1, 8])
    file(kernel, data, 'other', 'x'.repeat(8192))
    kernel.command({ command: 'cut' })
    expect(names(kernel, data)).toEqual(['.', '..', 'file'])
    expect(kernel.text(kernel.find('data/file'))).toBe('old')
    expect(kernel.create(data, 'other').node, 'the quota counts it again').toBe(0)
  })

  it('takes a rename between directories as a whole, whichever of them was synced', () => {
    for (const synced of ['a', 'b', 'none'] as const) {
      const { kernel, data } = mounted()
      kernel.syncNames(ROOT)
      const a = kernel.makeDirectory(data, 'a')
      const b = kernel.makeDirectory(data, 'b')
      kernel.create(a, 'file')
      for (const directory of [data, a, b]) kernel.syncNames(directory)
      kernel.rename(a, 'file', b, 'file')
      if (synced !== 'none') kernel.syncNames(synced === 'a' ? a : b)
      kernel.command({ command: 'cut' })
      const there = [names(kernel, a), names(kernel, b)].map((all) => all.includes('file'))
      expect(there, synced).toEqual(synced === 'none' ? [true, false] : [false, true])
    }
  })

  it('takes back a mode and attributes that were not synced', () => {
    const { kernel, data } = mounted()
    kernel.syncNames(ROOT)
    const node = file(kernel, data, 'file', '')
    kernel.syncNames(data)
    chmod(kernel, node, 0o600)
    kernel.fsync(node)
    chmod(kernel, node, 0o777)
    kernel.command({ command: 'cut' })
    expect(attributes(kernel, node).mode).toBe(0o100600)
  })

  it('tells the kernel to forget what it knew', () => {
    const { kernel, data } = mounted()
    kernel.syncNames(ROOT)
    const node = file(kernel, data, 'file', 'text')
    kernel.command({ command: 'cut' })
    const told = kernel.notices.map((notice) => [notice.readInt32LE(4), Number(notice.readBigUInt64LE(16))])
    expect(told).toContainEqual([3, data])
    expect(told).toContainEqual([2, node])
  })
})

/** What a tree of plain files would be: what each name leads to, as everybody sees it and as the disk has it. */
type Step =
  | readonly ['create' | 'unlink', string]
  | readonly ['rename' | 'link', string, string]
  | readonly ['sync']

it('has after a power cut exactly the names that were synced last, whatever was done before', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd')
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.tuple(fc.constant('create' as const), name),
    fc.tuple(fc.constant('unlink' as const), name),
    fc.tuple(fc.constantFrom('rename' as const, 'link' as const), name, name),
    fc.tuple(fc.constant('sync' as const)),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { kernel, data } = mounted({ inodes: 60 })
      kernel.syncNames(ROOT)
      let now = new Map<string, number>()
      let disk = new Map<string, number>()
      for (const [op, one, two] of steps) {
        if (op === 'sync') {
          kernel.syncNames(data)
          disk = new Map(now)
        } else if (op === 'create') {
          const { node } = kernel.create(data, one!)
          if (!now.has(one!)) now.set(one!, node)
        } else if (op === 'unlink') {
          kernel.unlink(data, one!)
          now.delete(one!)
        } else if (op === 'rename') {
          kernel.rename(data, one!, data, two!)
          const node = now.get(one!)
          if (node === undefined || node === now.get(two!)) continue
          now.delete(one!)
          now.set(two!, node)
        } else {
          const node = now.get(one!)
          if (node !== undefined) kernel.ask('link', data, [node, 8], two!)
          if (node !== undefined && !now.has(two!)) now.set(two!, node)
        }
      }
      kernel.command({ command: 'cut' })
      now = disk
      const found = new Map(
        names(kernel, data)
          .filter((each) => !each.startsWith('.'))
          .map((each) => [each, kernel.find(`data/${each}`)]),
      )
      expect(found).toEqual(
        new Map([...now].sort((x, y) => [...found.keys()].indexOf(x[0]) - [...found.keys()].indexOf(y[0]))),
      )
      for (const node of now.values()) {
        expect(attributes(kernel, node).links).toBe([...now.values()].filter((each) => each === node).length)
      }
    }),
    { numRuns: 300 },
  )
})
