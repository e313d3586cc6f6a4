/**
 * The tree of names, twice: as everybody sees it, and as it would be after a power cut. A name is on the disk once its
 * directory was synced, a file's content and attributes once the file was: POSIX promises no more, and no journal is
 * assumed that does. Only a rename is never torn, since no journalling file system does that.
 *
 * Errors are returned as the kernel takes them: the number, negated.
 */
import { constants } from 'node:os'
import type { Blocks } from './blocks.js'
import { type Change, Inode, type Moment } from './inode.js'
import { LONGEST_NAME, RENAME, ROOT, TYPE } from './protocol.js'

const { EEXIST, EINVAL, EISDIR, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, ENOTEMPTY, EPERM } = constants.errno

/** The directory in the root that the target's files are in. */
export const TARGET_DIRECTORY = 'data'
const SET_GROUP = 0o2000
/** The first inode number that a file of ours gets: those below are taken. */
const FIRST_OWN = 16

interface NewFile {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly target?: string
  readonly device?: number
}

/** What a power cut took, and what the kernel has to forget. */
export interface Cut {
  /** Files that lost content, and names that are another now. */
  readonly files: number
  readonly names: number
  readonly inodes: readonly Inode[]
  readonly entries: readonly Change[]
}

export class Tree {
  readonly root: Inode
  readonly blocks: Blocks
  readonly #nodes = new Map<number, Inode>()
  #next = ROOT

  constructor(blocks: Blocks, owner: { readonly uid: number; readonly gid: number }, now: Moment) {
    this.blocks = blocks
    this.root = this.#make({ ...owner, mode: TYPE.directory | 0o711 }, now, false)
    this.root.links = 2
    this.root.lookups = 1
    this.#next = FIRST_OWN
  }

  /** Every inode that is there, also those that only a power cut would bring back. */
  get nodes(): Iterable<Inode> {
    return this.#nodes.values()
  }

  node(number: number): Inode | undefined {
    return this.#nodes.get(number)
  }

  /** @returns the new file, or an error */
  create(directory: Inode, name: string, file: NewFile, now: Moment): Inode | number {
    const error = this.#mayHold(directory, name)
    if (error < 0) return error
    if (directory.entries!.has(name)) return -EEXIST
    const isTargets = directory.isTargets || (directory === this.root && name === TARGET_DIRECTORY)
    const inode = this.#allocate(directory, file, isTargets, now)
    if (typeof inode === 'number') return inode
    if (inode.isDirectory) {
      inode.links = 2
      directory.links += 1
    } else {
      inode.links = 1
    }
    this.#point(directory, name, inode)
    touch(directory, now)
    return inode
  }

  /** Makes a file that has no name yet: O_TMPFILE. */
  createNameless(directory: Inode, file: NewFile, now: Moment): Inode | number {
    return this.#allocate(directory, file, directory.isTargets, now)
  }

  link(inode: Inode, directory: Inode, name: string, now: Moment): number {
    const error = this.#mayHold(directory, name)
    if (error < 0) return error
    if (inode.isDirectory) return -EPERM
    if (directory.entries!.has(name)) return -EEXIST
    inode.links += 1
    inode.changed = now
    this.#point(directory, name, inode)
    touch(directory, now)
    return 0
  }

  unlink(directory: Inode, name: string, now: Moment): number {
    const inode = directory.entries?.get(name)
    if (inode === undefined) return -ENOENT
    if (inode.isDirectory) return -EISDIR
    this.#point(directory, name, undefined)
    touch(directory, now)
    this.#drop(inode, now)
    return 0
  }

  removeDirectory(directory: Inode, name: string, now: Moment): number {
    const inode = directory.entries?.get(name)
    if (inode === undefined) return -ENOENT
    if (inode.entries === undefined) return -ENOTDIR
    if (inode.entries.size > 0) return -ENOTEMPTY
    this.#point(directory, name, undefined)
    touch(directory, now)
    directory.links -= 1
    this.#drop(inode, now)
    return 0
  }

  /** renameat2(2). */
  rename(from: Inode, name: string, to: Inode, newName: string, flags: number, now: Moment): number {
    if ((flags & ~(RENAME.noReplace | RENAME.exchange)) !== 0) return -EINVAL
    const inode = from.entries?.get(name)
    if (inode === undefined) return -ENOENT
    const error = this.#mayHold(to, newName)
    if (error < 0) return error
    const old = to.entries!.get(newName)
    if (isWithin(to, inode)) return -EINVAL
    if ((flags & RENAME.exchange) !== 0) {
      if (old === undefined) return -ENOENT
      if (isWithin(from, old)) return -EINVAL
    } else {
      if ((flags & RENAME.noReplace) !== 0 && old !== undefined) return -EEXIST
      if (old === inode) return 0
      const refused = old === undefined ? 0 : mayReplace(inode, old)
      if (refused < 0) return refused
    }
    this.#move(from, name, to, newName, inode, old, (flags & RENAME.exchange) !== 0)
    if (old !== undefined && (flags & RENAME.exchange) === 0) {
      if (old.isDirectory) to.links -= 1
      this.#drop(old, now)
    }
    inode.changed = now
    touch(from, now)
    touch(to, now)
    return 0
  }

  /** Lets go of references of the kernel. */
  forget(number: number, lookups: number): void {
    const inode = this.#nodes.get(number)
    if (inode === undefined || inode === this.root) return
    inode.lookups = Math.max(0, inode.lookups - lookups)
    this.#collect(inode)
  }

  /** The names of a directory are on the disk: fsync(2) of a directory. */
  syncNames(directory: Inode): void {
    for (const change of directory.changes!.values()) {
      const { other } = change
      this.#settle(change)
      if (other !== undefined) this.#settle(other)
    }
  }

  /** A power cut: what was not synced is gone. */
  cut(): Cut {
    const entries: Change[] = []
    const inodes: Inode[] = []
    let files = 0
    for (const directory of this.#nodes.values()) {
      for (const change of directory.changes?.values() ?? []) {
        entries.push(change)
        if (change.before === undefined) directory.entries!.delete(change.name)
        else directory.entries!.set(change.name, change.before)
      }
    }
    for (const { before } of entries) if (before !== undefined) before.held -= 1
    for (const { directory } of entries) directory.changes!.clear()
    const reached = this.#reach()
    for (const inode of this.#nodes.values()) {
      if (inode.isGone && reached.has(inode)) this.#revive(inode)
      if (inode.content?.isDirty) {
        inode.content.cut()
        inodes.push(inode)
        files += 1
      } else if (inode.synced !== undefined) {
        inodes.push(inode)
      }
      if (inode.synced !== undefined) restore(inode)
    }
    for (const inode of [...this.#nodes.values()]) {
      if (!reached.has(inode)) inode.links = 0
      this.#collect(inode)
    }
    return { files, names: entries.length, inodes, entries }
  }

  #allocate(directory: Inode, file: NewFile, isTargets: boolean, now: Moment): Inode | number {
    const { quota } = this.blocks
    if (quota.freeInodes <= 0) return -ENOSPC
    quota.freeInodes -= 1
    const inode = this.#make(inherit(directory, file), now, isTargets)
    inode.parent = directory
    return inode
  }

  #make(file: NewFile, now: Moment, isTargets: boolean): Inode {
    const target = file.target === undefined ? {} : { target: file.target }
    const inode = new Inode(this.#next++, file.mode, file, now, this.blocks, { ...target, isTargets })
    inode.device = file.device ?? 0
    this.#nodes.set(inode.number, inode)
    return inode
  }

  #mayHold(directory: Inode, name: string): number {
    if (directory.entries === undefined) return -ENOTDIR
    if (directory.links === 0) return -ENOENT
    if (name.length > LONGEST_NAME) return -ENAMETOOLONG
    return name === '' || name === '.' || name === '..' || name.includes('/') ? -EINVAL : 0
  }

  /** Makes a name lead somewhere else, or nowhere. @returns what changed since the last sync, if anything did */
  #point(directory: Inode, name: string, inode: Inode | undefined): Change | undefined {
    const entries = directory.entries!
    const changes = directory.changes!
    const before = entries.get(name)
    if (inode === undefined) entries.delete(name)
    else {
      entries.set(name, inode)
      inode.parent = directory
      inode.name = name
      inode.matchedFor = -1
    }
    const change = changes.get(name)
    if (change === undefined) {
      const made: Change = { directory, name, before, other: undefined }
      changes.set(name, made)
      if (before !== undefined) before.held += 1
      return made
    }
    if (change.before !== inode) return change
    this.#settle(change)
    return undefined
  }

  #move(
    from: Inode,
    name: string,
    to: Inode,
    newName: string,
    inode: Inode,
    old: Inode | undefined,
    exchange: boolean,
  ): void {
    const left = this.#point(from, name, exchange ? old : undefined)
    const right = this.#point(to, newName, inode)
    if (from !== to) {
      if (left !== undefined) left.other = right
      if (right !== undefined) right.other = left
      const moved = Number(inode.isDirectory) - Number(exchange && old!.isDirectory)
      from.links -= moved
      to.links += moved
    }
  }

  /** A change is on the disk, or was taken back. */
  #settle({ directory, name, before, other }: Change): void {
    if (!directory.changes!.delete(name)) return
    if (other !== undefined) other.other = undefined
    if (before === undefined) return
    before.held -= 1
    this.#collect(before)
  }

  /** One name less leads to it. */
  #drop(inode: Inode, now: Moment): void {
    inode.links = inode.isDirectory ? 0 : inode.links - 1
    inode.changed = now
    this.#collect(inode)
  }

  /** Gives back what an inode takes that nobody can reach any more. */
  #collect(inode: Inode): void {
    if (inode.links > 0 || inode.lookups > 0) return
    if (!inode.isGone) {
      inode.isGone = true
      this.blocks.quota.freeInodes += 1
      inode.content?.giveRoomBack()
    }
    if (inode.held > 0 || !this.#nodes.delete(inode.number)) return
    inode.content?.discard()
    // a directory that is gone for good takes along what only a power cut would have brought back to it
    for (const change of inode.changes?.values() ?? []) this.#settle(change)
  }

  #revive(inode: Inode): void {
    inode.isGone = false
    this.blocks.quota.freeInodes -= 1
    inode.content?.takeRoomAgain()
  }

  /** Counts the links of everything that can be reached, and puts its parent right. */
  #reach(): Set<Inode> {
    const reached = new Set([this.root])
    this.root.links = 2
    for (const directory of reached) {
      for (const [name, inode] of directory.entries ?? []) {
        if (!reached.has(inode)) inode.links = inode.isDirectory ? 2 : 0
        reached.add(inode)
        inode.parent = directory
        inode.name = name
        inode.matchedFor = -1
        if (inode.isDirectory) directory.links += 1
        else inode.links += 1
      }
    }
    return reached
  }
}

/** Remembers the attributes that are on the disk, before the first change to them since the last sync. */
export function keepAttributes(inode: Inode): void {
  const { mode, uid, gid, xattrs } = inode
  inode.synced ??= { mode, uid, gid, xattrs: xattrs && new Map(xattrs) }
}

function restore(inode: Inode): void {
  const { mode, uid, gid, xattrs } = inode.synced!
  Object.assign(inode, { mode, uid, gid, xattrs: xattrs && new Map(xattrs), synced: undefined })
}

function touch(directory: Inode, now: Moment): void {
  directory.modified = now
  directory.changed = now
}

/** A directory with the set-group-ID bit hands down its group: inode(7). */
function inherit(directory: Inode, file: NewFile): NewFile {
  if ((directory.mode & SET_GROUP) === 0) return file
  const isDirectory = (file.mode & TYPE.mask) === TYPE.directory
  return { ...file, gid: directory.gid, mode: isDirectory ? file.mode | SET_GROUP : file.mode }
}

function mayReplace(inode: Inode, old: Inode): number {
  if (!inode.isDirectory) return old.isDirectory ? -EISDIR : 0
  if (old.entries === undefined) return -ENOTDIR
  return old.entries.size > 0 ? -ENOTEMPTY : 0
}

/** Whether a directory is another one, or lies somewhere in it. */
function isWithin(directory: Inode, other: Inode): boolean {
  for (let at: Inode | undefined = directory; at !== undefined; at = at.parent) if (at === other) return true
  return false
}
