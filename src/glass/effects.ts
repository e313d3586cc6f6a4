/** What a rule does to the operation that it acts on. */
import { errnoNumber } from '../errno.js'
import type { Random } from '../workload/random.js'
import { BLOCK } from './blocks.js'
import type { Content } from './content.js'
import type { FileSystem } from './file-system.js'
import type { Inode, Moment } from './inode.js'
import { REQUEST_HEADER as BODY, OP, OPEN, REPLY_HEADER } from './protocol.js'
import type { Reply, Request } from './request.js'
import type { ActiveRule, Effect, GateForm, Rot } from './rules.js'

/** What a disk writes as a whole, in bytes. */
const SECTOR = 512
const DATA = BODY + 40

export interface Scene {
  readonly fileSystem: FileSystem
  readonly request: Request
  readonly reply: Reply
  readonly inode: Inode
  readonly now: Moment
  readonly rule: ActiveRule
  /** The page cache no longer has what the disk has. */
  invalidate(inode: Inode): void
}

/** Effects that take place at once; what waits is up to the server: see glass.ts. */
export type Immediate = Exclude<Effect, { do: 'delay' | 'hang' }>

/** @returns what the kernel is told: bytes of the body, or an error, negated */
export function apply(effect: Immediate, scene: Scene): number {
  switch (effect.do) {
    case 'error':
      return -errnoNumber(effect.errno)
    case 'short':
      return short(scene)
    case 'torn':
      return torn(scene, effect.keep, effect.errno)
    case 'flip':
    case 'zeros':
    case 'stale':
    case 'misdirect':
      return scene.request.opcode === OP.write ? rotWritten(scene, effect.do) : rotRead(scene, effect.do)
    case 'rot':
      return rotAtRest(scene, effect.how, effect.part)
    case 'lie':
      return lie(scene)
    case 'gate':
      return gate(scene, effect.form, -errnoNumber(effect.errno))
  }
}

/** Whether an effect shows what was there before the last sync. */
export function showsPrevious(effect: Effect): boolean {
  return effect.do === 'stale' || (effect.do === 'rot' && effect.how === 'stale')
}

function perform({ fileSystem, request, reply, now }: Scene): number {
  return fileSystem.perform(request, reply, now)
}

function short(scene: Scene): number {
  const { request } = scene
  const length = request.u32(BODY + 16)
  if (length <= 1) scene.rule.changedNothing()
  request.setU32(BODY + 16, Math.max(1, length >>> 1))
  return perform(scene)
}

/** Writes a part of the data of a request, as if it had asked for that part alone. */
function writePart(scene: Scene, from: number, length: number): number {
  const { content } = scene.inode
  return content?.write(scene.request.u64(BODY + 8) + from, length, scene.request.bytes, DATA + from) ?? 0
}

function torn(scene: Scene, keep: 'prefix' | 'sectors', errno: string | undefined): number {
  const { request, reply, inode } = scene
  const { random } = scene.rule
  const length = request.u32(BODY + 16)
  const kept = keep === 'prefix' ? random.integer(0, Math.max(0, length - 1)) : 0
  if (keep === 'prefix') writePart(scene, 0, kept)
  else {
    const start = request.u64(BODY + 8) % SECTOR
    for (let at = 0; at < length; ) {
      const piece = Math.min(SECTOR - ((start + at) % SECTOR), length - at)
      if (random.chance(0.5)) writePart(scene, at, piece)
      at += piece
    }
  }
  scene.invalidate(inode)
  if (errno !== undefined) return -errnoNumber(errno)
  extend(inode.content!, request.u64(BODY + 8) + length)
  reply.setU64(0, length)
  return 8
}

function rotWritten(scene: Scene, how: Rot): number {
  const { request, reply, inode } = scene
  const { random } = scene.rule
  const offset = request.u64(BODY + 8)
  const length = request.u32(BODY + 16)
  const data = request.bytes.subarray(DATA, DATA + length)
  scene.invalidate(inode)
  if (how === 'flip') flip(data, random)
  if (how === 'zeros') data.fill(0)
  if (how === 'flip' || how === 'zeros') return perform(scene)
  // neither a lost write nor a misdirected one is where it should be; the file is as long as it would be with it
  extend(inode.content!, offset + length)
  const elsewhere = how === 'misdirect' ? otherBlock(inode.content!, offset, random) : undefined
  if (elsewhere !== undefined) {
    inode.content!.write(elsewhere + (offset % BLOCK), Math.min(length, BLOCK), request.bytes, DATA)
  }
  if ((request.u32(BODY + 32) & (OPEN.dsync | OPEN.sync)) !== 0) inode.content!.sync()
  reply.setU64(0, length)
  return 8
}

/** A rule with a range spoils only what is in it of what was read. */
function rotRead(scene: Scene, how: Rot): number {
  const result = perform(scene)
  const offset = scene.request.u64(BODY + 8)
  const { from = 0, to = Number.POSITIVE_INFINITY } = scene.rule.rule
  const start = Math.max(0, from - offset)
  const end = Math.min(result, to - offset)
  const changed = start < end && rotAnswer(scene, how, start, end, scene.rule.random)
  if (!changed) scene.rule.changedNothing()
  return result
}

/** Whether a block is bad, and how, depends on the seed and the block alone. A rule with a range has bad blocks only there. */
function rotAtRest(scene: Scene, how: Rot, part: number): number {
  const result = perform(scene)
  const { from = 0, to = Number.POSITIVE_INFINITY } = scene.rule.rule
  const offset = scene.request.u64(BODY + 8)
  let changed = false
  for (let at = 0; at < result; ) {
    const index = Math.floor((offset + at) / BLOCK)
    const end = Math.min(result, (index + 1) * BLOCK - offset)
    const isInRange = index * BLOCK < to && (index + 1) * BLOCK > from
    const chance = scene.rule.chanceOf(scene.inode, index)
    if (isInRange && chance.chance(part) && rotAnswer(scene, how, at, end, chance)) changed = true
    at = end
  }
  if (!changed) scene.rule.changedNothing()
  return result
}

/** Spoils what a read is about to answer, from byte `from` of it to before `to`. @returns whether it is another now */
function rotAnswer(
  { request, reply, inode }: Scene,
  how: Rot,
  from: number,
  to: number,
  random: Random,
): boolean {
  const content = inode.content!
  const offset = request.u64(BODY + 8) + from
  const data = reply.bytes.subarray(REPLY_HEADER + from, REPLY_HEADER + to)
  const right = Buffer.from(data)
  if (how === 'flip') flip(data, random)
  if (how === 'zeros') data.fill(0)
  if (how === 'stale') readStale(content, offset, data)
  const elsewhere = how === 'misdirect' ? otherBlock(content, offset, random) : undefined
  if (elsewhere !== undefined) {
    const other = elsewhere + (offset % BLOCK)
    content.read(other, Math.max(0, Math.min(data.length, content.size - other)), data, 0)
  }
  return !data.equals(right)
}

function readStale(content: Content, offset: number, data: Buffer): void {
  const block = Buffer.alloc(BLOCK)
  for (let at = 0; at < data.length; ) {
    const within = (offset + at) % BLOCK
    content.readPrevious(Math.floor((offset + at) / BLOCK), block)
    at += block.copy(data, at, within, Math.min(BLOCK, within + data.length - at))
  }
}

/** Changes one bit. */
function flip(data: Buffer, random: Random): void {
  if (data.length === 0) return
  const at = random.integer(0, data.length - 1)
  data[at]! ^= 1 << random.integer(0, 7)
}

/** Where another block of the file begins, of those that hold data; undefined where there is no other. */
function otherBlock(content: Content, offset: number, random: Random): number | undefined {
  const own = Math.floor(offset / BLOCK)
  const others = content.dataBlocks().filter((index) => index !== own)
  return others.length === 0 ? undefined : random.pick(others as [number, ...number[]]) * BLOCK
}

function extend(content: Content, size: number): void {
  if (size > content.size) content.truncate(size)
}

/** Where nothing was left to be made safe, it is no lie. */
function lie({ inode, rule }: Scene): number {
  const isUnsafe = inode.content?.isDirty === true || (inode.changes?.size ?? 0) > 0
  if (!isUnsafe) rule.changedNothing()
  return 0
}

/** @param error what the sync is answered with, negated */
function gate({ fileSystem, request, inode, invalidate }: Scene, form: GateForm, error: number): number {
  const { content } = inode
  if (content === undefined) return error
  if (form === 'btrfs') content.cut()
  else content.forsake()
  if (form === 'btrfs') invalidate(inode)
  const own = fileSystem.handle(request.u64(BODY))
  for (const handle of inode.handles ?? []) handle.pending = error
  // data=journal finds out when the journal is written, which is after this sync has said yes
  if (form === 'ext4-journal') return 0
  if (own !== undefined) own.pending = 0
  return error
}
