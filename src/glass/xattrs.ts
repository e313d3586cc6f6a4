/** Extended attributes: xattr(7). Those of the system, such as access control lists, are not kept. */
import { constants } from 'node:os'
import type { Inode } from './inode.js'
import { XATTR } from './protocol.js'
import type { Reply } from './request.js'
import { keepAttributes } from './tree.js'

const { E2BIG, EEXIST, ENODATA, EOPNOTSUPP, ERANGE } = constants.errno
/** Largest value, in bytes: XATTR_SIZE_MAX. */
const LARGEST = 65536

const isKept = (name: string) => !name.startsWith('system.')

export function setXattr(inode: Inode, name: string, value: Buffer, flags: number): number {
  if (!isKept(name)) return -EOPNOTSUPP
  if (value.length > LARGEST) return -E2BIG
  const has = inode.xattrs?.has(name) ?? false
  if (has && (flags & XATTR.create) !== 0) return -EEXIST
  if (!has && (flags & XATTR.replace) !== 0) return -ENODATA
  keepAttributes(inode)
  inode.xattrs ??= new Map()
  inode.xattrs.set(name, Buffer.from(value))
  return 0
}

export function removeXattr(inode: Inode, name: string): number {
  if (!isKept(name)) return -EOPNOTSUPP
  if (!inode.xattrs?.has(name)) return -ENODATA
  keepAttributes(inode)
  inode.xattrs.delete(name)
  return 0
}

/** @param size how much the caller has room for; 0: it asks how much it needs */
export function getXattr(reply: Reply, inode: Inode, name: string, size: number): number {
  if (!isKept(name)) return -EOPNOTSUPP
  const value = inode.xattrs?.get(name)
  return value === undefined ? -ENODATA : answer(reply, value, size)
}

export function listXattrs(reply: Reply, inode: Inode, size: number): number {
  const names = [...(inode.xattrs?.keys() ?? [])].map((name) => `${name}\0`).join('')
  return answer(reply, Buffer.from(names, 'latin1'), size)
}

function answer(reply: Reply, value: Buffer, size: number): number {
  if (size === 0) {
    reply.setU64(0, value.length)
    return 8
  }
  if (value.length > size) return -ERANGE
  reply.fill(0, value)
  return value.length
}
