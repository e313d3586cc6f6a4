/** What the kernel is told without having asked: that what it keeps of an inode or a name no longer holds. */
import type { Change, Inode } from './inode.js'
import { NOTIFY, REPLY_HEADER } from './protocol.js'

/** Attributes and pages of an inode: fuse_notify_inval_inode_out, from 0 to the end. */
export function inodeNotice({ number }: Inode): Buffer {
  const notice = begin(NOTIFY.invalidateInode, 24)
  notice.writeBigUInt64LE(BigInt(number), REPLY_HEADER)
  return notice
}

/** What a name leads to, or that it leads nowhere: fuse_notify_inval_entry_out. */
export function entryNotice({ directory, name }: Pick<Change, 'directory' | 'name'>): Buffer {
  const notice = begin(NOTIFY.invalidateEntry, 16 + name.length + 1)
  notice.writeBigUInt64LE(BigInt(directory.number), REPLY_HEADER)
  notice.writeUInt32LE(name.length, REPLY_HEADER + 8)
  notice.write(name, REPLY_HEADER + 16, 'latin1')
  return notice
}

function begin(code: number, length: number): Buffer {
  const notice = Buffer.alloc(REPLY_HEADER + length)
  notice.writeUInt32LE(notice.length, 0)
  notice.writeInt32LE(code, 4)
  return notice
}
