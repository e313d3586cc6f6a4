/**
 * The words of the FUSE kernel protocol, version 7: operation codes, flags and the sizes of its structures, as far as
 * glass speaks it. Source: the kernel's include/uapi/linux/fuse.h. Numbers are little-endian: see `request.ts`.
 */

/** The version that we answer with. The kernel leaves out what came later. */
export const VERSION = { major: 7, minor: 41 } as const

/** Bytes of the header of every request: fuse_in_header. */
export const REQUEST_HEADER = 40
/** Bytes of the header of every reply: fuse_out_header. */
export const REPLY_HEADER = 16

/** Most bytes of data in one request. */
export const MOST_DATA = 1024 * 1024
/** Room for a request's header, its structure and the names that follow, beside the data. */
export const REQUEST_OVERHEAD = 4096 + 4096
/** Longest name in a directory, in bytes. */
export const LONGEST_NAME = 255
/** The inode number of the root: FUSE_ROOT_ID. */
export const ROOT = 1

export const OP = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  setxattr: 21,
  getxattr: 22,
  listxattr: 23,
  removexattr: 24,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  create: 35,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  fallocate: 43,
  rename2: 45,
  lseek: 46,
  tmpfile: 51,
} as const

export type OpName = keyof typeof OP

/** The name of an operation, by its code. */
export const OP_NAMES: readonly (OpName | undefined)[] = (() => {
  const names: (OpName | undefined)[] = []
  for (const [name, code] of Object.entries(OP)) names[code] = name as OpName
  return names
})()

interface Shape {
  /** Bytes of the structure that follows the header. */
  readonly body: number
  /** How many names, each ended by a zero byte, follow the structure. */
  readonly names: number
  /** Offset in the request of the 32-bit number that says how many bytes of data follow; 0: none. */
  readonly data?: number
}

/** What each operation's request looks like. One that is not here is answered with ENOSYS. */
export const SHAPES: readonly (Shape | undefined)[] = (() => {
  const shapes: Record<OpName, Shape> = {
    lookup: { body: 0, names: 1 },
    forget: { body: 8, names: 0 },
    getattr: { body: 16, names: 0 },
    setattr: { body: 88, names: 0 },
    readlink: { body: 0, names: 0 },
    symlink: { body: 0, names: 2 },
    mknod: { body: 16, names: 1 },
    mkdir: { body: 8, names: 1 },
    unlink: { body: 0, names: 1 },
    rmdir: { body: 0, names: 1 },
    rename: { body: 8, names: 2 },
    link: { body: 8, names: 1 },
    open: { body: 8, names: 0 },
    read: { body: 40, names: 0 },
    write: { body: 40, names: 0, data: REQUEST_HEADER + 16 },
    statfs: { body: 0, names: 0 },
    release: { body: 24, names: 0 },
    fsync: { body: 16, names: 0 },
    setxattr: { body: 8, names: 1, data: REQUEST_HEADER },
    getxattr: { body: 8, names: 1 },
    listxattr: { body: 8, names: 0 },
    removexattr: { body: 0, names: 1 },
    flush: { body: 24, names: 0 },
    init: { body: 16, names: 0 },
    opendir: { body: 8, names: 0 },
    readdir: { body: 40, names: 0 },
    releasedir: { body: 24, names: 0 },
    fsyncdir: { body: 16, names: 0 },
    create: { body: 16, names: 1 },
    interrupt: { body: 8, names: 0 },
    destroy: { body: 0, names: 0 },
    batchForget: { body: 8, names: 0 },
    fallocate: { body: 32, names: 0 },
    rename2: { body: 16, names: 2 },
    lseek: { body: 24, names: 0 },
    tmpfile: { body: 16, names: 0 },
  }
  return Object.entries(shapes).reduce<(Shape | undefined)[]>((all, [name, shape]) => {
    all[OP[name as OpName]] = shape
    return all
  }, [])
})()

/** Flags of FUSE_INIT. Those above bit 31 are in `flags2`. */
export const INIT = {
  asyncRead: 1 << 0,
  atomicTruncate: 1 << 3,
  bigWrites: 1 << 5,
  parallelDirectoryOperations: 1 << 18,
  maxPages: 1 << 22,
  cacheSymlinks: 1 << 23,
  handleKillPrivileges: 1 << 28,
  extended: 1 << 30,
} as const
/** Bit 36 of all flags: a file opened for direct I/O may be mapped. */
export const INIT2_DIRECT_IO_MMAP = 1 << 4

/** What the answer to an open may say: FOPEN_*. */
export const OPENED = { directIo: 1 << 0, keepCache: 1 << 1, noFlush: 1 << 5 } as const

/** What a SETATTR changes: FATTR_*. */
export const SET = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  atime: 1 << 4,
  mtime: 1 << 5,
  atimeNow: 1 << 7,
  mtimeNow: 1 << 8,
  ctime: 1 << 10,
  killSuidgid: 1 << 11,
} as const

/** FUSE_WRITE_*: `cache` marks what the kernel writes back from a mapping. */
export const WRITE = { cache: 1 << 0, killSuidgid: 1 << 2 } as const
export const OPEN_KILL_SUIDGID = 1 << 0
export const FSYNC_DATA_ONLY = 1 << 0

/** renameat2(2). */
export const RENAME = { noReplace: 1, exchange: 2, whiteout: 4 } as const
/** fallocate(2). */
export const FALLOCATE = { keepSize: 1, punchHole: 2, zeroRange: 0x10 } as const
/** setxattr(2). */
export const XATTR = { create: 1, replace: 2 } as const
/** lseek(2). */
export const SEEK = { data: 3, hole: 4 } as const

/** What the kernel is told without having asked: FUSE_NOTIFY_*. */
export const NOTIFY = { invalidateInode: 2, invalidateEntry: 3 } as const

/** open(2), in the numbers that the kernel uses on every architecture that Node runs on. */
export const OPEN = { truncate: 0o1000, append: 0o2000, dsync: 0o10000, sync: 0o4010000 } as const

/** The type of a file in its mode: inode(7). */
export const TYPE = { mask: 0o170000, directory: 0o040000, regular: 0o100000, symlink: 0o120000 } as const
