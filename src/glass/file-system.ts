/** Does what the kernel asks for, one request at a time. What may go wrong on purpose is decided elsewhere: see glass.ts. */
import { constants } from 'node:os'
import {
  attributesAnswer,
  directoryEntry,
  entryAnswer,
  noEntryAnswer,
  openAnswer,
  statfsAnswer,
} from './answers.js'
import { LARGEST_FILE } from './content.js'
import { Handle, type Inode, type Moment } from './inode.js'
import {
  REQUEST_HEADER as BODY,
  FALLOCATE,
  FSYNC_DATA_ONLY,
  INIT,
  INIT2_DIRECT_IO_MMAP,
  LONGEST_NAME,
  MOST_DATA,
  OP,
  OPEN,
  OPEN_KILL_SUIDGID,
  OPENED,
  REPLY_HEADER,
  SEEK,
  SET,
  TYPE,
  VERSION,
  WRITE,
} from './protocol.js'
import type { Reply, Request } from './request.js'
import { keepAttributes, type Tree } from './tree.js'
import { getXattr, listXattrs, removeXattr, setXattr } from './xattrs.js'

const {
  EBADF,
  EFBIG,
  EINVAL,
  ENAMETOOLONG,
  ENODEV,
  ENOENT,
  ENOSPC,
  ENOSYS,
  ENOTDIR,
  ENXIO,
  EOPNOTSUPP,
  EPROTO,
  ESTALE,
} = constants.errno

/** In place of a result: the kernel waits for no reply. */
export const NO_REPLY = Number.NEGATIVE_INFINITY

const SET_USER = 0o4000
const SET_GROUP = 0o2000
const GROUP_EXECUTE = 0o10
/** Access times older than this are brought up to date by a read: mount(8), relatime. */
const DAY_SECONDS = 24 * 60 * 60
/** Requests of the kernel's own, such as reading ahead, that may be under way at a time. */
const MOST_BACKGROUND = 64

export class FileSystem {
  readonly tree: Tree
  readonly #handles: (Handle | undefined)[] = [undefined]
  readonly #freeHandles: number[] = []
  /** What the answers to opens say: FOPEN_*. */
  openFlags: number = OPENED.keepCache | OPENED.noFlush

  constructor(tree: Tree) {
    this.tree = tree
  }

  handle(number: number): Handle | undefined {
    return this.#handles[number]
  }

  /** @returns bytes of the body of the reply, an error's number, negated, or NO_REPLY */
  perform(request: Request, reply: Reply, now: Moment): number {
    const { opcode } = request
    if (opcode === OP.forget) return this.#forget(request)
    if (opcode === OP.batchForget) return this.#batchForget(request)
    if (opcode === OP.init) return this.#init(request, reply)
    if (opcode === OP.interrupt) return NO_REPLY
    if (opcode === OP.destroy) return 0
    if (opcode === OP.statfs) return statfsAnswer(reply, this.tree.blocks.quota)
    const inode = this.tree.node(request.node)
    if (inode === undefined) return -ESTALE
    switch (opcode) {
      case OP.read:
        return this.#read(request, reply, inode, now)
      case OP.write:
        return this.#write(request, reply, inode, now)
      case OP.fsync:
        return this.#fsync(request, inode)
      case OP.lookup:
        return this.#lookup(request, reply, inode)
      case OP.getattr:
        return attributesAnswer(reply, inode)
      case OP.setattr:
        return this.#setattr(request, reply, inode, now)
      case OP.open:
        return this.#open(request, reply, inode, now)
      case OP.create:
      case OP.mknod:
      case OP.mkdir:
      case OP.symlink:
      case OP.tmpfile:
        return this.#make(request, reply, inode, now)
      case OP.link:
        return this.#link(request, reply, inode, now)
      case OP.unlink:
        return this.tree.unlink(inode, request.name(BODY), now)
      case OP.rmdir:
        return this.tree.removeDirectory(inode, request.name(BODY), now)
      case OP.rename:
      case OP.rename2:
        return this.#rename(request, inode, now)
      case OP.readlink:
        return this.#readlink(reply, inode)
      case OP.opendir:
        return openAnswer(reply, 0, this.openHandle(inode), 0)
      case OP.readdir:
        return this.#readdir(request, reply, inode)
      case OP.fsyncdir:
        return this.#fsyncdir(inode)
      case OP.release:
      case OP.releasedir:
        return this.release(request)
      case OP.flush:
        return 0
      case OP.fallocate:
        return this.#fallocate(request, inode, now)
      case OP.lseek:
        return this.#lseek(request, reply, inode)
      case OP.setxattr:
        return this.#setxattr(request, inode, now)
      case OP.getxattr:
        return getXattr(reply, inode, request.name(BODY + 8), request.u32(BODY))
      case OP.listxattr:
        return listXattrs(reply, inode, request.u32(BODY))
      case OP.removexattr:
        return changed(inode, now, removeXattr(inode, request.name(BODY)))
      default:
        return -ENOSYS
    }
  }

  #init(request: Request, reply: Reply): number {
    if (request.u32(BODY) !== VERSION.major) return -EPROTO
    const wanted =
      INIT.asyncRead |
      INIT.atomicTruncate |
      INIT.bigWrites |
      INIT.parallelDirectoryOperations |
      INIT.maxPages |
      INIT.cacheSymlinks |
      INIT.handleKillPrivileges |
      INIT.extended
    const offered = request.u32(BODY + 12)
    const extended = (offered & INIT.extended) !== 0 && request.u32(0) >= BODY + 20
    reply.clear(64)
    reply.setU32(0, VERSION.major)
    reply.setU32(4, Math.min(VERSION.minor, request.u32(BODY + 4)))
    reply.setU32(8, request.u32(BODY + 8))
    reply.setU32(12, offered & wanted)
    // max_background, and the congestion threshold in the upper half
    reply.setU32(16, MOST_BACKGROUND | ((MOST_BACKGROUND * 0.75) << 16))
    reply.setU32(20, MOST_DATA)
    reply.setU32(24, 1)
    reply.setU32(28, MOST_DATA / 4096)
    reply.setU32(32, extended ? request.u32(BODY + 16) & INIT2_DIRECT_IO_MMAP : 0)
    return 64
  }

  #forget(request: Request): number {
    this.tree.forget(request.node, request.u64(BODY))
    return NO_REPLY
  }

  #batchForget(request: Request): number {
    const room = Math.floor((request.u32(0) - BODY - 8) / 16)
    const count = Math.min(request.u32(BODY), room)
    for (let index = 0; index < count; index += 1) {
      const at = BODY + 8 + index * 16
      this.tree.forget(request.u64(at), request.u64(at + 8))
    }
    return NO_REPLY
  }

  #lookup(request: Request, reply: Reply, directory: Inode): number {
    if (directory.entries === undefined) return -ENOTDIR
    const name = request.name(BODY)
    if (name.length > LONGEST_NAME) return -ENAMETOOLONG
    const found = name === '.' ? directory : name === '..' ? directory.parent : directory.entries.get(name)
    return found === undefined ? noEntryAnswer(reply) : entryAnswer(reply, found)
  }

  #setattr(request: Request, reply: Reply, inode: Inode, now: Moment): number {
    const valid = request.u32(BODY)
    if ((valid & SET.size) !== 0) {
      const size = request.u64(BODY + 16)
      if (size > LARGEST_FILE) return -EFBIG
      if (inode.content === undefined) return -EINVAL
      inode.content.truncate(size)
      inode.modified = now
    }
    if ((valid & (SET.mode | SET.uid | SET.gid | SET.killSuidgid)) !== 0) {
      keepAttributes(inode)
      if ((valid & (SET.uid | SET.gid | SET.killSuidgid)) !== 0) killPrivileges(inode)
      if ((valid & SET.mode) !== 0) inode.mode = (inode.mode & TYPE.mask) | (request.u32(BODY + 68) & 0o7777)
      if ((valid & SET.uid) !== 0) inode.uid = request.u32(BODY + 76)
      if ((valid & SET.gid) !== 0) inode.gid = request.u32(BODY + 80)
    }
    if ((valid & SET.atime) !== 0) {
      inode.accessed = (valid & SET.atimeNow) !== 0 ? now : moment(request, BODY + 32, BODY + 56)
    }
    if ((valid & SET.mtime) !== 0) {
      inode.modified = (valid & SET.mtimeNow) !== 0 ? now : moment(request, BODY + 40, BODY + 60)
    }
    inode.changed = now
    return attributesAnswer(reply, inode)
  }

  #make(request: Request, reply: Reply, directory: Inode, now: Moment): number {
    const { opcode, uid, gid } = request
    if (directory.entries === undefined) return -ENOTDIR
    const made =
      opcode === OP.tmpfile
        ? this.tree.createNameless(directory, { mode: regular(request.u32(BODY + 4)), uid, gid }, now)
        : this.tree.create(directory, nameOf(request), { ...newFile(request), uid, gid }, now)
    if (typeof made === 'number') return made
    const end = entryAnswer(reply, made)
    if (opcode !== OP.create && opcode !== OP.tmpfile) return end
    return openAnswer(reply, end, this.openHandle(made), this.openFlags)
  }

  #link(request: Request, reply: Reply, directory: Inode, now: Moment): number {
    const inode = this.tree.node(request.u64(BODY))
    if (inode === undefined) return -ENOENT
    const error = this.tree.link(inode, directory, request.name(BODY + 8), now)
    return error < 0 ? error : entryAnswer(reply, inode)
  }

  #rename(request: Request, from: Inode, now: Moment): number {
    const isSecond = request.opcode === OP.rename2
    const flags = isSecond ? request.u32(BODY + 8) : 0
    const at = BODY + (isSecond ? 16 : 8)
    const to = this.tree.node(request.u64(BODY))
    if (to === undefined) return -ENOENT
    return this.tree.rename(from, request.name(at), to, request.name(request.afterName(at)), flags, now)
  }

  #readlink(reply: Reply, inode: Inode): number {
    if (inode.target === undefined) return -EINVAL
    reply.fillText(0, inode.target, inode.target.length)
    return inode.target.length
  }

  #open(request: Request, reply: Reply, inode: Inode, now: Moment): number {
    if (inode.content === undefined) return -EINVAL
    if ((request.u32(BODY) & OPEN.truncate) !== 0) {
      inode.content.truncate(0)
      inode.modified = now
      inode.changed = now
      if ((request.u32(BODY + 4) & OPEN_KILL_SUIDGID) !== 0) killPrivileges(inode)
    }
    return openAnswer(reply, 0, this.openHandle(inode), this.openFlags)
  }

  /** @returns the number of a new handle */
  openHandle(inode: Inode): number {
    const handle = new Handle(inode)
    inode.handles ??= new Set()
    inode.handles.add(handle)
    const number = this.#freeHandles.pop() ?? this.#handles.length
    this.#handles[number] = handle
    return number
  }

  release(request: Request): number {
    const number = request.u64(BODY)
    const handle = this.#handles[number]
    if (handle === undefined) return -EBADF
    handle.inode.handles?.delete(handle)
    this.#handles[number] = undefined
    this.#freeHandles.push(number)
    return 0
  }

  #read(request: Request, reply: Reply, inode: Inode, now: Moment): number {
    const { content } = inode
    if (content === undefined) return -EINVAL
    const offset = request.u64(BODY + 8)
    const length = Math.max(0, Math.min(request.u32(BODY + 16), content.size - offset, MOST_DATA))
    content.read(offset, length, reply.bytes, REPLY_HEADER)
    if (isAccessOld(inode, now)) inode.accessed = now
    return length
  }

  #write(request: Request, reply: Reply, inode: Inode, now: Moment): number {
    const { content } = inode
    if (content === undefined) return -EINVAL
    const offset = request.u64(BODY + 8)
    const size = request.u32(BODY + 16)
    if (offset + size > LARGEST_FILE) return -EFBIG
    const written = content.write(offset, size, request.bytes, BODY + 40)
    if (written === 0 && size > 0) return -ENOSPC
    inode.modified = now
    inode.changed = now
    if ((request.u32(BODY + 20) & WRITE.killSuidgid) !== 0) killPrivileges(inode)
    if ((request.u32(BODY + 32) & (OPEN.dsync | OPEN.sync)) !== 0) content.sync()
    reply.setU64(0, written)
    return 8
  }

  /** A failed sync of before is told once to each handle that was open then. */
  #fsync(request: Request, inode: Inode): number {
    if (inode.content === undefined) return -EINVAL
    const handle = this.#handles[request.u64(BODY)]
    inode.content.sync()
    if ((request.u32(BODY + 8) & FSYNC_DATA_ONLY) === 0) inode.synced = undefined
    if (handle === undefined || handle.pending === 0) return 0
    const error = handle.pending
    handle.pending = 0
    return error
  }

  #fsyncdir(inode: Inode): number {
    if (inode.changes === undefined) return -ENOTDIR
    this.tree.syncNames(inode)
    inode.synced = undefined
    return 0
  }

  /** Goes through the names that were there when the listing began. */
  #readdir(request: Request, reply: Reply, inode: Inode): number {
    const handle = this.#handles[request.u64(BODY)]
    if (handle === undefined || inode.entries === undefined) return -EBADF
    const limit = Math.min(request.u32(BODY + 16), MOST_DATA)
    const offset = request.u64(BODY + 8)
    if (offset === 0) handle.listing = ['.', '..', ...inode.entries.keys()]
    let end = 0
    for (let index = offset; index < handle.listing.length; index += 1) {
      const name = handle.listing[index]!
      const found = index === 0 ? inode : index === 1 ? (inode.parent ?? inode) : inode.entries.get(name)
      if (found === undefined) continue
      const next = directoryEntry(reply, end, limit, { inode: found, name, next: index + 1 })
      if (next === undefined) return end === 0 ? -EINVAL : end
      end = next
    }
    return end
  }

  #fallocate(request: Request, inode: Inode, now: Moment): number {
    const { content } = inode
    if (content === undefined) return -ENODEV
    const offset = request.u64(BODY + 8)
    const length = request.u64(BODY + 16)
    const mode = request.u32(BODY + 24)
    const { keepSize, punchHole, zeroRange } = FALLOCATE
    if ((mode & ~(keepSize | punchHole | zeroRange)) !== 0) return -EOPNOTSUPP
    if (length === 0) return -EINVAL
    if (offset + length > LARGEST_FILE) return -EFBIG
    if ((mode & (punchHole | zeroRange)) !== 0) content.punch(offset, length)
    if ((mode & punchHole) === 0) {
      if (!content.allocate(offset, length)) return -ENOSPC
      if ((mode & keepSize) === 0 && offset + length > content.size) content.truncate(offset + length)
    }
    inode.modified = now
    inode.changed = now
    return 0
  }

  #lseek(request: Request, reply: Reply, inode: Inode): number {
    const whence = request.u32(BODY + 16)
    if (inode.content === undefined || (whence !== SEEK.data && whence !== SEEK.hole)) return -EINVAL
    const found = inode.content.seek(request.u64(BODY + 8), whence === SEEK.data ? 'data' : 'hole')
    if (found === undefined) return -ENXIO
    reply.setU64(0, found)
    return 8
  }

  #setxattr(request: Request, inode: Inode, now: Moment): number {
    const name = request.name(BODY + 8)
    const at = request.afterName(BODY + 8)
    const value = request.bytes.subarray(at, at + request.u32(BODY))
    return changed(inode, now, setXattr(inode, name, value, request.u32(BODY + 4)))
  }
}

/** Where a request that makes something has its name. */
function nameOf(request: Request): string {
  const { opcode } = request
  return request.name(BODY + (opcode === OP.symlink ? 0 : opcode === OP.mkdir ? 8 : 16))
}

function newFile(request: Request): { mode: number; device?: number; target?: string } {
  const mode = request.u32(BODY)
  switch (request.opcode) {
    case OP.create:
      return { mode: regular(request.u32(BODY + 4)) }
    case OP.mkdir:
      return { mode: (mode & 0o7777) | TYPE.directory }
    case OP.symlink:
      return { mode: 0o777 | TYPE.symlink, target: request.name(request.afterName(BODY)) }
    default:
      return (mode & TYPE.mask) === 0 || (mode & TYPE.mask) === TYPE.directory
        ? { mode: regular(mode) }
        : { mode, device: request.u32(BODY + 4) }
  }
}

const regular = (mode: number) => (mode & 0o7777) | TYPE.regular

function moment(request: Request, seconds: number, nanoseconds: number): Moment {
  return { seconds: request.i64(seconds), nanoseconds: request.u32(nanoseconds) }
}

function isAccessOld({ accessed, modified, changed: altered }: Inode, now: Moment): boolean {
  return (
    !isAfter(accessed, modified) ||
    !isAfter(accessed, altered) ||
    now.seconds - accessed.seconds >= DAY_SECONDS
  )
}

function isAfter(one: Moment, other: Moment): boolean {
  return one.seconds > other.seconds || (one.seconds === other.seconds && one.nanoseconds > other.nanoseconds)
}

/** Whoever is not the owner changed it, so it may no longer run with the owner's rights: chown(2), write(2). */
function killPrivileges(inode: Inode): void {
  if (inode.isDirectory) return
  inode.mode &= ~SET_USER
  if ((inode.mode & GROUP_EXECUTE) !== 0) inode.mode &= ~SET_GROUP
  inode.xattrs?.delete('security.capability')
}

/** Notes when something succeeded that changes an inode. */
function changed(inode: Inode, now: Moment, result: number): number {
  if (result === 0) inode.changed = now
  return result
}
