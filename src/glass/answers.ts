/** The structures of FUSE replies that tell what an inode is. Each writes at an offset in the body, and returns its end. */
import { BLOCK, type Quota } from './blocks.js'
import type { Inode } from './inode.js'
import { LONGEST_NAME } from './protocol.js'
import type { Reply } from './request.js'

/** Only the kernel changes what is here, so what it knows holds until we take it back: seconds. */
const FOREVER = 1_000_000_000
/** The kernel counts blocks of 512 bytes: stat(2). */
const SECTORS_IN_BLOCK = BLOCK / 512

/** fuse_attr. */
function attributes(reply: Reply, at: number, inode: Inode): number {
  reply.setU64(at, inode.number)
  reply.setU64(at + 8, inode.size)
  reply.setU64(at + 16, (inode.content?.blocks ?? 0) * SECTORS_IN_BLOCK)
  reply.setU64(at + 24, inode.accessed.seconds)
  reply.setU64(at + 32, inode.modified.seconds)
  reply.setU64(at + 40, inode.changed.seconds)
  reply.setU32(at + 48, inode.accessed.nanoseconds)
  reply.setU32(at + 52, inode.modified.nanoseconds)
  reply.setU32(at + 56, inode.changed.nanoseconds)
  reply.setU32(at + 60, inode.mode)
  reply.setU32(at + 64, inode.links)
  reply.setU32(at + 68, inode.uid)
  reply.setU32(at + 72, inode.gid)
  reply.setU32(at + 76, inode.device)
  reply.setU32(at + 80, BLOCK)
  reply.setU32(at + 84, 0)
  return at + 88
}

/** fuse_attr_out. */
export function attributesAnswer(reply: Reply, inode: Inode): number {
  reply.setU64(0, FOREVER)
  reply.setU64(8, 0)
  return attributes(reply, 16, inode)
}

/** fuse_entry_out; the kernel holds one reference more from now on. */
export function entryAnswer(reply: Reply, inode: Inode): number {
  inode.lookups += 1
  reply.setU64(0, inode.number)
  reply.setU64(8, 0)
  reply.setU64(16, FOREVER)
  reply.setU64(24, FOREVER)
  reply.setU64(32, 0)
  return attributes(reply, 40, inode)
}

/** fuse_entry_out for a name that is not there, which the kernel remembers too. */
export function noEntryAnswer(reply: Reply): number {
  reply.clear(128)
  reply.setU64(16, FOREVER)
  return 128
}

/** fuse_open_out. */
export function openAnswer(reply: Reply, at: number, handle: number, flags: number): number {
  reply.setU64(at, handle)
  reply.setU32(at + 8, flags)
  reply.setU32(at + 12, 0)
  return at + 16
}

/** fuse_statfs_out. */
export function statfsAnswer(reply: Reply, quota: Quota): number {
  reply.clear(80)
  const free = Math.max(0, quota.freeBlocks)
  reply.setU64(0, quota.blocks)
  reply.setU64(8, free)
  reply.setU64(16, free)
  reply.setU64(24, quota.inodes)
  reply.setU64(32, quota.freeInodes)
  reply.setU32(40, BLOCK)
  reply.setU32(44, LONGEST_NAME)
  reply.setU32(48, BLOCK)
  return 80
}

/** One fuse_dirent, if it fits into `limit` bytes. @returns the new end, or undefined where it does not fit */
export function directoryEntry(
  reply: Reply,
  at: number,
  limit: number,
  entry: { readonly inode: Inode; readonly name: string; readonly next: number },
): number | undefined {
  const { inode, name, next } = entry
  const end = at + 24 + Math.ceil(name.length / 8) * 8
  if (end > limit) return undefined
  reply.setU64(at, inode.number)
  reply.setU64(at + 8, next)
  reply.setU32(at + 16, name.length)
  reply.setU32(at + 20, inode.mode >>> 12)
  reply.fillText(at + 24, name, end)
  return end
}
