import { closeSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, test, vi } from 'vitest'
import { freshPath } from '../../testing/directory.js'
import { CoveredError } from '../errors.js'
import {
  Descent,
  fileId,
  findAt,
  isGone,
  isSameFile,
  mountId,
  nameFromJson,
  nameToJson,
  openAt,
  openPlace,
  openUnnamed,
  statOf,
  walk,
} from './files.js'

/** What the kernel answers to whoever reads fdinfo; undefined where they may. */
let refusal: string | undefined
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  const readFileSync = ((file: string, how: 'latin1') => {
    if (refusal === undefined || !file.startsWith('/proc/self/fdinfo/')) return fs.readFileSync(file, how)
    throw Object.assign(new Error(refusal), { code: refusal })
  }) as typeof fs.readFileSync
  return { ...fs, readFileSync }
})

let root: string
beforeEach(() => {
  refusal = undefined
  root = freshPath()
  mkdirSync(path.join(root, 'a/b'), { recursive: true })
  writeFileSync(path.join(root, 'a/b/file'), 'x')
})

const pathsBelow = (directory: string) => {
  const fd = openPlace(directory)
  try {
    return [...walk(fd)].map(({ path: found }) => found.toString('latin1')).sort()
  } finally {
    closeSync(fd)
  }
}

test('a name that leads elsewhere is refused', () => {
  const fd = openPlace(path.join(root, 'a'))
  const descent = new Descent(fd)
  for (const name of ['..', '../b', 'b/../..']) {
    expect(() => descent.open(Buffer.from(name)), name).toThrow(/no name of a file/)
  }
  expect(() => openAt(fd, Buffer.from('b/file'))).toThrow(/no name of a file/)
  descent.close()
  closeSync(fd)
})

test('a file is opened where an old kernel keeps fdinfo from us, and what has another device is covered', () => {
  const fd = openPlace(path.join(root, 'a/b'))
  const top = openPlace('/')
  refusal = 'EACCES'
  closeSync(openAt(fd, Buffer.from('file')))
  expect(() => openAt(top, Buffer.from('proc'))).toThrow(CoveredError)
  for (const each of [fd, top]) closeSync(each)
})

test('nothing stays open where the mount of a file cannot be told', () => {
  const fd = openPlace(path.join(root, 'a/b'))
  const open = () => readdirSync('/proc/self/fd').length
  const before = open()
  const mount = mountId(fd)
  refusal = 'EMFILE'
  expect(() => openAt(fd, Buffer.from('file'), mount)).toThrow('EMFILE')
  expect(open()).toBe(before)
  closeSync(fd)
})

test('a link on the way is an error, and one at its end is itself', () => {
  symlinkSync('a', path.join(root, 'link'))
  symlinkSync('b/file', path.join(root, 'a/file-link'))
  expect(() => openPlace(path.join(root, 'link/b'))).toThrow(/ENOTDIR/)
  const fd = openPlace(path.join(root, 'a/file-link'))
  expect(statOf(fd).isSymbolicLink()).toBe(true)
  closeSync(fd)
})

test('a walk finds everything, and goes through no link', () => {
  symlinkSync('/', path.join(root, 'link'))
  writeFileSync(Buffer.from(`${root}/\xff\n`, 'latin1'), '')
  expect(pathsBelow(root)).toEqual(['', 'a', 'a/b', 'a/b/file', 'link', '\xff\n'].sort())
})

test('a walk leaves out what goes while it is there', () => {
  const fd = openPlace(root)
  const found: string[] = []
  for (const { path: each } of walk(fd)) {
    found.push(each.toString())
    if (each.toString() === 'a/b') rmSync(path.join(root, 'a/b'), { recursive: true })
  }
  closeSync(fd)
  expect(found).toEqual(['', 'a', 'a/b'])
})

test('a walk goes past what is too deep, or is refused', () => {
  mkdirSync(path.join(root, 'deep', ...Array(600).fill('d')), { recursive: true })
  writeFileSync(path.join(root, 'z'), '')
  expect(() => pathsBelow(root)).toThrow(/'deep' in it is more than 512 directories deep/)
  const fd = openPlace(root)
  const left: string[] = []
  const found = [...walk(fd, ({ message }) => left.push(message))].map(({ path: each }) => each.toString())
  closeSync(fd)
  expect(left).toHaveLength(1)
  expect(found.filter((each) => !each.includes('d'))).toEqual(['', 'a', 'a/b', 'a/b/file', 'z'])
})

test('what has another name is found by what it is', () => {
  const fd = openPlace(root)
  const a = openPlace(path.join(root, 'a'))
  const isA = (each: number) => statOf(each).ino === statOf(a).ino
  renameSync(path.join(root, 'a'), path.join(root, 'b'))
  mkdirSync(path.join(root, 'a'))
  const found = findAt(fd, Buffer.from('a'), isA)!
  expect(found.name.toString()).toBe('b')
  expect(findAt(fd, Buffer.from('a'), () => false)).toBeUndefined()
  for (const each of [found.fd, a, fd]) closeSync(each)
})

test('names keep their bytes in JSON', () => {
  for (const bytes of [Buffer.from('größe\n"'), Buffer.from([0xff, 0xfe, 0x2f]), Buffer.alloc(0)]) {
    expect(nameFromJson(JSON.parse(JSON.stringify(nameToJson(bytes))))).toEqual(bytes)
  }
})

test('a file that was replaced is another one, even with the same number', () => {
  const identify = (file: string) => {
    const fd = openPlace(file)
    const id = fileId(statOf(fd))
    closeSync(fd)
    return id
  }
  const file = path.join(root, 'a/b/file')
  const before = identify(file)
  expect(isSameFile(identify(file), before, true)).toBe(true)
  expect(isSameFile({ ...before, born: '1' }, before, true)).toBe(false)
  expect(isSameFile({ ...before, dev: '1' }, before, true)).toBe(false)
  // the number of a device may be another after a boot
  expect(isSameFile({ ...before, dev: '1' }, before, false)).toBe(true)
  writeFileSync(`${file}.new`, 'x')
  renameSync(`${file}.new`, file)
  expect(isSameFile(identify(file), before, true)).toBe(false)
})

test('a descent finds what is there, and does not follow what became a link', () => {
  mkdirSync(path.join(root, 'c'))
  writeFileSync(path.join(root, 'c/file'), 'y')
  const fd = openPlace(root)
  const descent = new Descent(fd)
  const found = (name: string) => {
    const opened = descent.open(Buffer.from(name))
    if (opened === undefined) return undefined
    closeSync(opened)
    return name
  }
  try {
    expect(['a/b/file', 'a', '', 'c/file', 'a/b', 'none', 'a/b/file/x'].map(found)).toEqual([
      'a/b/file',
      'a',
      '',
      'c/file',
      'a/b',
      undefined,
      undefined,
    ])
    renameSync(path.join(root, 'a'), path.join(root, 'moved'))
    symlinkSync('c', path.join(root, 'a'))
    expect(found('c/file')).toBe('c/file')
    expect(found('a/file')).toBeUndefined()
  } finally {
    descent.close()
    closeSync(fd)
  }
})

test('an unnamed file has no name', () => {
  const fd = openPlace(root)
  const unnamed = openUnnamed(fd, 2)
  writeFileSync(unnamed, 'x')
  expect(readdirSync(root)).toEqual(['a'])
  expect(statOf(unnamed).nlink).toBe(0n)
  closeSync(unnamed)
  closeSync(fd)
})

test('what is not there any more is told from what may not be done', () => {
  expect(isGone(Object.assign(new Error(), { code: 'ENOENT' }))).toBe(true)
  expect(isGone(Object.assign(new Error(), { code: 'EACCES' }))).toBe(false)
})
