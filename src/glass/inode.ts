/** What a name leads to: a file, a directory, a symlink or a special file. */
import type { Blocks } from './blocks.js'
import { Content } from './content.js'
import { TYPE } from './protocol.js'

/** A moment: seconds since 1970, and nanoseconds. */
export interface Moment {
  readonly seconds: number
  readonly nanoseconds: number
}

/** A name in a directory that changed since the directory was synced last. */
export interface Change {
  readonly directory: Inode
  readonly name: string
  /** What the name led to then. */
  readonly before: Inode | undefined
  /** The other half of a rename from one directory to another: a power cut takes both or none. */
  other: Change | undefined
}

/** Attributes as they were synced last, where they changed since. Times are not among them. */
export interface Attributes {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly xattrs: ReadonlyMap<string, Buffer> | undefined
}

export class Inode {
  readonly number: number
  mode: number
  uid: number
  gid: number
  /** Device number, of a special file. */
  device = 0
  links = 0
  /** References that the kernel holds: it lets them go with FORGET. */
  lookups = 0
  /** Directory entries that would be there again after a power cut. */
  held = 0
  /** Whether nobody can reach it any more, unless a power cut brings it back; the quota no longer counts it. */
  isGone = false
  accessed: Moment
  modified: Moment
  changed: Moment
  xattrs: Map<string, Buffer> | undefined
  /** Of a symlink. */
  readonly target: string | undefined
  /** Of a regular file. */
  readonly content: Content | undefined
  /** Of a directory: what each name leads to. */
  readonly entries: Map<string, Inode> | undefined
  /** Of a directory: the names that changed since it was synced last. */
  readonly changes: Map<string, Change> | undefined
  /** The directory that this one, or one name of this file, is in, and that name. */
  parent: Inode | undefined
  name = ''
  synced: Attributes | undefined
  /** Whether it lies where the target's files are: only there do rules apply. */
  readonly isTargets: boolean
  /** Handles that are open, of a regular file. */
  handles: Set<Handle> | undefined
  /** What the rules that are on make of its path: see rules.ts. */
  matched = 0
  matchedFor = -1

  constructor(
    number: number,
    mode: number,
    owner: { readonly uid: number; readonly gid: number },
    now: Moment,
    store: Blocks,
    options: { readonly target?: string; readonly isTargets: boolean },
  ) {
    this.number = number
    this.mode = mode
    this.uid = owner.uid
    this.gid = owner.gid
    this.accessed = now
    this.modified = now
    this.changed = now
    this.target = options.target
    this.isTargets = options.isTargets
    const type = mode & TYPE.mask
    this.content = type === TYPE.regular ? new Content(store) : undefined
    this.entries = type === TYPE.directory ? new Map() : undefined
    this.changes = type === TYPE.directory ? new Map() : undefined
  }

  /** In bytes. */
  get size(): number {
    return this.content?.size ?? this.target?.length ?? 0
  }

  get isDirectory(): boolean {
    return this.entries !== undefined
  }
}

/** An open file or directory. */
export class Handle {
  readonly inode: Inode
  /** Of a directory: the names that a listing under way goes through. */
  listing: readonly string[] = []
  /** An error that a sync through another handle ran into, and that this one is still to be told: errseq(7) in the kernel. */
  pending = 0
  /** What the answers to a control command's reads come from: see control.ts. */
  answer: Buffer | undefined

  constructor(inode: Inode) {
    this.inode = inode
  }
}

/** The path of an inode below the root, one character a byte, without a leading slash; '' for the root. */
export function pathOf(inode: Inode): string {
  let path = ''
  for (let at: Inode | undefined = inode; at?.parent !== undefined; at = at.parent) {
    path = path === '' ? at.name : `${at.name}/${path}`
  }
  return path
}
