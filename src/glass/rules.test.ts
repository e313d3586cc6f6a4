import { constants } from 'node:os'
import { expect, test } from 'vitest'
import { Kernel } from '../testing/fuse.js'
import { BLOCK } from './blocks.js'
import type { Added, CutAnswer, State } from './commands.js'
import { OPEN, ROOT } from './protocol.js'
import { GATE_FORMS, type GateForm, type Rule } from './rules.js'

const { EINTR, EIO, ENOSPC } = constants.errno

function mounted() {
  const kernel = new Kernel()
  const data = kernel.makeDirectory(ROOT, 'data')
  kernel.syncNames(ROOT)
  const { node, handle } = kernel.create(data, 'log')
  kernel.syncNames(data)
  const add = (rule: Rule, seed = 'seed') => kernel.command<Added>({ command: 'add', rule, seed }).number
  const write = (offset: number, text: string | Buffer) =>
    kernel.write(node, offset, Buffer.from(text as string))!.errno
  const state = () => kernel.command<State>({ command: 'state' })
  return { kernel, data, node, handle, add, write, state }
}

test('a rule acts on the operations that it names, first to last, every so many', () => {
  const { add, write, state } = mounted()
  const number = add({
    operations: ['write'],
    first: 2,
    last: 6,
    step: 2,
    effect: { do: 'error', errno: 'EIO' },
  })
  expect([1, 2, 3, 4, 5, 6, 7, 8].map((offset) => write(offset, 'x'))).toEqual([0, EIO, 0, EIO, 0, EIO, 0, 0])
  expect(state().rules[number]).toEqual({ met: 8, acted: 3 })
})

test('a rule acts on the paths and the bytes that it names, of the target alone', () => {
  const { kernel, data, node, add } = mounted()
  const inner = kernel.makeDirectory(data, 'inner')
  const other = kernel.create(inner, 'other.db').node
  const outside = kernel.create(ROOT, 'other.db').node
  const fails = (path: string, file: number) => {
    const number = add({ operations: ['write'], path, effect: { do: 'error', errno: 'ENOSPC' } })
    const { errno } = kernel.write(file, 0, Buffer.from('x'))!
    kernel.command({ command: 'remove', number })
    expect([0, ENOSPC]).toContain(errno)
    return errno === ENOSPC
  }
  expect(fails('log', node)).toBe(true)
  expect(fails('l?g', node)).toBe(true)
  expect(fails('*', other)).toBe(false)
  expect(fails('*/*.db', other)).toBe(true)
  expect(fails('**', other)).toBe(true)
  expect(fails('**/other.db', other)).toBe(true)
  expect(fails('**', outside)).toBe(false)
  add({ operations: ['write'], from: 100, to: 200, effect: { do: 'error', errno: 'EIO' } })
  const touched = (offset: number, length: number) =>
    kernel.write(node, offset, Buffer.alloc(length))!.errno === EIO
  expect([touched(0, 100), touched(0, 101), touched(199, 1), touched(200, 1)]).toEqual([
    false,
    true,
    true,
    false,
  ])
})

test('names are met under the name that they have, or get', () => {
  const { kernel, data, add } = mounted()
  kernel.create(data, 'a')
  add({ operations: ['rename'], path: 'b', effect: { do: 'error', errno: 'EIO' } })
  add({ operations: ['unlink'], path: 'a', effect: { do: 'error', errno: 'EIO' } })
  expect([kernel.rename(data, 'a', data, 'b')?.errno, kernel.unlink(data, 'a')?.errno]).toEqual([EIO, EIO])
  expect(kernel.rename(data, 'a', data, 'c')?.errno).toBe(0)
  expect(kernel.unlink(data, 'c')?.errno).toBe(0)
})

test('a rule can wait for bytes, act once, or by chance, which the seed repeats', () => {
  const { add, write, kernel } = mounted()
  const effect = { do: 'error', errno: 'EIO' } as const
  const after = add({ operations: ['write'], after: 5, once: true, effect })
  expect([write(0, 'abc'), write(0, 'de'), write(0, 'f'), write(0, 'g')]).toEqual([0, 0, EIO, 0])
  kernel.command({ command: 'remove', number: after })
  const draw = () => {
    const { add: addAgain, write: writeAgain } = mounted()
    addAgain({ operations: ['write'], probability: 0.5, effect })
    return Array.from({ length: 40 }, () => writeAgain(0, 'x'))
  }
  const drawn = draw()
  expect(new Set(drawn)).toEqual(new Set([0, EIO]))
  expect(draw()).toEqual(drawn)
})

test('fsync and fdatasync, truncate and chmod, are told apart', () => {
  const { kernel, node, add } = mounted()
  add({ operations: ['fdatasync', 'truncate'], effect: { do: 'error', errno: 'EIO' } })
  expect([kernel.fsync(node)?.errno, kernel.fsync(node, 0, true)?.errno]).toEqual([0, EIO])
  const setattr = (valid: number) => {
    const body = Buffer.alloc(88)
    body.writeUInt32LE(valid, 0)
    body.writeUInt32LE(0o600, 68)
    return kernel.ask('setattr', node, body)?.errno
  }
  expect([setattr(1), setattr(8)]).toEqual([0, EIO])
})

test('what is delayed is done when it is due, and others are not held up', () => {
  const { kernel, node, add, write } = mounted()
  add({ operations: ['fsync'], effect: { do: 'delay', ms: 100 } })
  write(0, 'old')
  expect(kernel.fsync(node)).toBeUndefined()
  const unique = BigInt(kernel.lastUnique)
  expect(kernel.next()).toBeUndefined()
  expect(kernel.wakes).toEqual([100])
  kernel.time += 99
  expect(kernel.next()).toBeUndefined()
  expect(write(0, 'new')).toBe(0)
  kernel.time += 1
  expect(kernel.next()).toMatchObject({ unique, errno: 0 })
  kernel.command({ command: 'cut' })
  expect(kernel.text(node), 'it synced what was there then').toBe('new')
})

test('what hangs goes on when the rule is removed, or ends when its program was killed', () => {
  const { kernel, node, add } = mounted()
  const number = add({ operations: ['fsync'], effect: { do: 'hang' } })
  expect(kernel.fsync(node)).toBeUndefined()
  const first = BigInt(kernel.lastUnique)
  kernel.pid = 2 ** 22 + 1 // larger than any: no such process
  expect(kernel.fsync(node)).toBeUndefined()
  const second = kernel.lastUnique
  kernel.time += 1e6
  expect(kernel.next()).toBeUndefined()
  kernel.ask('interrupt', ROOT, [second, 8])
  expect(kernel.next()).toMatchObject({ unique: BigInt(second), errno: EINTR })
  kernel.command({ command: 'remove', number })
  expect(kernel.next()).toMatchObject({ unique: first, errno: 0 })
})

test('reads and writes can be short', () => {
  const { kernel, node, add, write } = mounted()
  write(0, 'abcdefgh')
  add({ operations: ['read', 'write'], effect: { do: 'short' } })
  expect(kernel.read(node, 0, 8)!.body.toString()).toBe('abcd')
  expect(kernel.write(node, 0, Buffer.from('12345'))!.body.readUInt32LE(0)).toBe(2)
  expect(kernel.write(node, 8, Buffer.from('x'))!.body.readUInt32LE(0), 'never none').toBe(1)
})

test('a torn write leaves a prefix, or some sectors, and says that it failed', () => {
  for (const keep of ['prefix', 'sectors'] as const) {
    const { kernel, node, add, write } = mounted()
    write(0, Buffer.alloc(4096, 'o'))
    add({ operations: ['write'], effect: { do: 'torn', keep, errno: 'EIO' } })
    expect(write(0, Buffer.alloc(4096, 'n'))).toBe(EIO)
    const found = kernel.text(node)
    expect(found).toMatch(keep === 'prefix' ? /^n*o+$/ : /^(n{512}|o{512}){8}$/)
    expect(found, 'a part of it arrived').toMatch(keep === 'prefix' ? /n/ : /no|on/)
  }
})

test('what is read can be spoilt, and what is stored stays as it is', () => {
  const bad = (how: 'flip' | 'zeros' | 'stale' | 'misdirect') => {
    const { kernel, node, add, write } = mounted()
    write(0, Buffer.alloc(BLOCK, 'a'))
    kernel.fsync(node)
    write(0, Buffer.alloc(BLOCK, 'b'))
    write(BLOCK, Buffer.alloc(BLOCK, 'c'))
    const number = add({ operations: ['read'], effect: { do: how } })
    const found = kernel.read(node, 0, BLOCK)!.body
    kernel.command({ command: 'remove', number })
    expect(kernel.read(node, 0, BLOCK)!.body.equals(Buffer.alloc(BLOCK, 'b'))).toBe(true)
    return found
  }
  const differences = [...bad('flip')].filter((byte) => byte !== 'b'.charCodeAt(0))
  expect(differences.map((byte) => byte ^ 'b'.charCodeAt(0))).toEqual([expect.toSatisfy(isOneBit)])
  expect(bad('zeros').equals(Buffer.alloc(BLOCK))).toBe(true)
  expect(bad('stale').equals(Buffer.alloc(BLOCK, 'a'))).toBe(true)
  expect(bad('misdirect').equals(Buffer.alloc(BLOCK, 'c'))).toBe(true)
})

test('what was there before the last sync is shown, where that changed something since the rule came', () => {
  const { kernel, node, add, write, state } = mounted()
  const synced = (offset: number, letter: string) => {
    write(offset, Buffer.alloc(BLOCK, letter))
    kernel.fsync(node)
  }
  synced(0, 'a')
  synced(BLOCK, 'b')
  const number = add({ operations: ['read'], effect: { do: 'stale' } })
  expect(kernel.text(node), 'nothing was written since').toBe('a'.repeat(BLOCK) + 'b'.repeat(BLOCK))
  expect(state().rules[number], 'so nothing is wrong').toMatchObject({ acted: 0 })
  synced(0, 'c')
  expect(kernel.text(node)).toBe('a'.repeat(BLOCK) + 'b'.repeat(BLOCK))
  synced(0, 'd')
  expect(kernel.text(node)).toBe('c'.repeat(BLOCK) + 'b'.repeat(BLOCK))
  expect(state().rules[number]).toMatchObject({ acted: 2 })
})

function isOneBit(difference: number): boolean {
  return [1, 2, 4, 8, 16, 32, 64, 128].includes(difference)
}

test('what is written can be lost, or land elsewhere, and the kernel is told to forget it', () => {
  const { kernel, node, add, write } = mounted()
  write(0, Buffer.alloc(2 * BLOCK, 'a'))
  const lost = add({ operations: ['write'], effect: { do: 'stale' } })
  expect(write(0, 'lost')).toBe(0)
  kernel.command({ command: 'remove', number: lost })
  expect(kernel.text(node)).toBe('a'.repeat(2 * BLOCK))
  expect(kernel.notices.map((notice) => Number(notice.readBigUInt64LE(16)))).toContain(node)
  add({ operations: ['write'], effect: { do: 'misdirect' } })
  expect(write(0, 'astray')).toBe(0)
  expect(kernel.text(node).indexOf('astray')).toBe(BLOCK)
})

test('a block that is bad at rest is bad in the same way each time', () => {
  const { kernel, node, add, write } = mounted()
  write(0, Buffer.alloc(64 * BLOCK, 'a'))
  add({ operations: ['read'], effect: { do: 'rot', how: 'zeros', part: 0.5 } })
  const bad = () =>
    Array.from({ length: 64 }, (_, index) => kernel.read(node, index * BLOCK, 1)!.body[0] === 0)
  const found = bad()
  expect(found.filter(Boolean).length).toBeGreaterThan(15)
  expect(found.filter(Boolean).length).toBeLessThan(49)
  expect(bad()).toEqual(found)
  const whole = kernel.read(node, 0, 64 * BLOCK)!.body
  expect(found.map((_, index) => whole[index * BLOCK] === 0)).toEqual(found)
})

test('where a rule has a range, nothing is spoilt outside of it', () => {
  const effects = [{ do: 'rot', how: 'zeros', part: 1 }, { do: 'zeros' }] as const
  for (const effect of effects) {
    const { kernel, node, add, write, state } = mounted()
    write(0, Buffer.alloc(4 * BLOCK, 'a'))
    const number = add({ operations: ['read'], from: BLOCK, to: 2 * BLOCK, effect })
    expect(kernel.text(node)).toBe('a'.repeat(BLOCK) + '\0'.repeat(BLOCK) + 'a'.repeat(2 * BLOCK))
    expect(state().rules[number]).toMatchObject({ acted: 1 })
  }
})

test('a sync that lies leaves what it was to make safe to the next power cut', () => {
  const { kernel, data, node, add, write, state } = mounted()
  const number = add({ operations: ['fsync', 'fsync-directory'], effect: { do: 'lie' } })
  const acted = () => state().rules[number]!.acted
  kernel.fsync(node)
  kernel.syncNames(data)
  expect(acted(), 'nothing to be lost').toBe(0)
  write(0, 'text')
  expect(kernel.fsync(node)?.errno).toBe(0)
  expect(acted()).toBe(1)
  kernel.create(data, 'other')
  kernel.syncNames(data)
  expect(acted()).toBe(2)
  expect(kernel.command<CutAnswer>({ command: 'cut' }).files).toBe(1)
  expect(kernel.text(node)).toBe('')
})

test('a write with O_DSYNC is safe without a sync', () => {
  const { kernel, node } = mounted()
  kernel.write(node, 0, Buffer.from('text'), OPEN.dsync)
  kernel.command({ command: 'cut' })
  expect(kernel.text(node)).toBe('text')
})

/** What a sync says, and the next one; what is read then, once the page cache is lost, and after a power cut. */
const GATES: Record<
  GateForm,
  readonly [syncs: readonly number[], then: string, evicted: string, cut: string]
> = {
  'ext4-ordered': [[EIO, 0], 'new', 'old', 'old'],
  'ext4-journal': [[0, EIO], 'new', 'old', 'old'],
  xfs: [[EIO, 0], 'new', 'old', 'old'],
  btrfs: [[EIO, 0], 'old', 'old', 'old'],
}

test.each(GATE_FORMS)('the fsyncgate of %s', (form) => {
  const { kernel, node, add, write } = mounted()
  const handle = kernel.open(node)
  const bystander = kernel.open(node)
  write(0, 'old')
  kernel.fsync(node, handle)
  const number = add({ operations: ['fsync'], once: true, effect: { do: 'gate', form, errno: 'EIO' } })
  write(0, 'new')
  const [syncs, then, evicted, cut] = GATES[form]
  expect([kernel.fsync(node, handle)?.errno, kernel.fsync(node, handle)?.errno]).toEqual(syncs)
  expect(kernel.fsync(node, bystander)?.errno, 'every handle that was open is told once').toBe(EIO)
  expect(kernel.fsync(node, bystander)?.errno).toBe(0)
  expect(kernel.text(node)).toBe(then)
  kernel.command({ command: 'evict' })
  expect(kernel.text(node)).toBe(evicted)
  kernel.command({ command: 'cut' })
  expect(kernel.text(node)).toBe(cut)
  kernel.command({ command: 'remove', number })
  write(0, 'later')
  kernel.fsync(node, handle)
  kernel.command({ command: 'cut' })
  expect(kernel.text(node), 'what is written again is kept').toBe('later')
})

test('a sync that gives up may say that there is no room, to each handle that was open', () => {
  const { kernel, node, add, write } = mounted()
  const [handle, bystander] = [kernel.open(node), kernel.open(node)]
  write(0, 'old')
  kernel.fsync(node, handle)
  add({ operations: ['fsync'], once: true, effect: { do: 'gate', form: 'xfs', errno: 'ENOSPC' } })
  write(0, 'new')
  expect([handle, handle, bystander].map((each) => kernel.fsync(node, each)?.errno)).toEqual([
    ENOSPC,
    0,
    ENOSPC,
  ])
  kernel.command({ command: 'cut' })
  expect(kernel.text(node)).toBe('old')
})

test('while a rule is about reads, each one reaches us', () => {
  const { kernel, node, add } = mounted()
  const flags = () => kernel.ask('open', node, [2, 4], [0, 4])!.body.readUInt32LE(8)
  const [direct, keep] = [1, 2]
  expect(flags() & (direct | keep)).toBe(keep)
  const number = add({ operations: ['read'], effect: { do: 'error', errno: 'EIO' } })
  expect(flags() & (direct | keep)).toBe(direct)
  kernel.command({ command: 'remove', number })
  expect(flags() & (direct | keep)).toBe(keep)
})

test('errors are counted for evidence, of the target alone', () => {
  const { kernel, data, state } = mounted()
  kernel.command({ command: 'watch' })
  kernel.unlink(data, 'none')
  kernel.unlink(ROOT, 'none')
  expect(state().errors).toEqual({ ENOENT: 1 })
})
