/**
 * Fault rules: which operations are met, and what then happens to them. Plain data, told to the server as JSON; this file
 * decides only whether one acts. What acting means is in effects.ts.
 */
import { type Random, random } from '../workload/random.js'
import { type Inode, pathOf } from './inode.js'
import { REQUEST_HEADER as BODY, FSYNC_DATA_ONLY, OP, SET } from './protocol.js'
import type { Request } from './request.js'
import { TARGET_DIRECTORY, type Tree } from './tree.js'

/** What a program does, as a rule names it, and the requests that this is for the kernel. */
export const OPERATIONS = {
  read: [OP.read],
  write: [OP.write],
  fsync: [OP.fsync],
  fdatasync: [OP.fsync],
  'fsync-directory': [OP.fsyncdir],
  open: [OP.open, OP.create],
  close: [OP.flush],
  create: [OP.create, OP.mknod, OP.tmpfile],
  rename: [OP.rename, OP.rename2],
  unlink: [OP.unlink],
  link: [OP.link],
  mkdir: [OP.mkdir],
  rmdir: [OP.rmdir],
  truncate: [OP.setattr],
  chmod: [OP.setattr],
  fallocate: [OP.fallocate],
  stat: [OP.getattr, OP.lookup],
  list: [OP.readdir],
} as const satisfies Readonly<Record<string, readonly number[]>>

export type Operation = keyof typeof OPERATIONS

export type Effect =
  /** The operation is not done, and fails. */
  | { readonly do: 'error'; readonly errno: string }
  /** It is done later: milliseconds. */
  | { readonly do: 'delay'; readonly ms: number }
  /** It is done when the rules are changed. */
  | { readonly do: 'hang' }
  /** Fewer bytes are read or written than were asked for, which is legal: half of them, one at least. */
  | { readonly do: 'short' }
  /** A prefix of what is written arrives, or some of its sectors; then the error, or none. */
  | { readonly do: 'torn'; readonly keep: 'prefix' | 'sectors'; readonly errno?: string }
  /** One bit of what is read or written is another; or all of it is zero; or what was there before; or another block's. */
  | { readonly do: 'flip' }
  | { readonly do: 'zeros' }
  | { readonly do: 'stale' }
  | { readonly do: 'misdirect' }
  /** At rest: this part of all blocks, drawn from the seed, reads as one of the above, and always does. 0 to 1. */
  | { readonly do: 'rot'; readonly how: Rot; readonly part: number }
  /** A sync says that all is well, and nothing is on the disk. */
  | { readonly do: 'lie' }
  /** A sync fails once, and its data is given up: what each file system makes of that. */
  | { readonly do: 'gate'; readonly form: GateForm; readonly errno: string }

export const ROTS = ['flip', 'zeros', 'stale', 'misdirect'] as const
export type Rot = (typeof ROTS)[number]

/** "Can Applications Recover from fsync Failures?", ATC 2020. */
export const GATE_FORMS = ['ext4-ordered', 'ext4-journal', 'xfs', 'btrfs'] as const
export type GateForm = (typeof GATE_FORMS)[number]

export interface Rule {
  readonly operations: readonly Operation[]
  /** Of the target's files, relative to its directory: `*` stands for any characters but `/`, `**` for any, `?` for one. */
  readonly path?: string
  /** Only what touches bytes from `from` to before `to`; what has no range is at 0. */
  readonly from?: number
  readonly to?: number
  /** Of the operations that fit: the first and the last, from 1, and every how many between them. */
  readonly first?: number
  readonly last?: number
  readonly step?: number
  /** Of those again, this part, drawn from the seed: 0 to 1. */
  readonly probability?: number
  /** Only once so many bytes were read or written by operations that fit. */
  readonly after?: number
  /** Acts once and never again. */
  readonly once?: boolean
  readonly effect: Effect
}

/** A rule that is on. */
export class ActiveRule {
  readonly rule: Rule
  readonly number: number
  readonly random: Random
  readonly #seed: string
  /** How many operations fitted, and on how many it acted. */
  met = 0
  acted = 0
  #bytes = 0
  readonly #pattern: RegExp | undefined

  constructor(rule: Rule, number: number, seed: string) {
    this.rule = rule
    this.number = number
    this.random = random(seed, 'glass', number)
    this.#seed = seed
    this.#pattern = rule.path === undefined ? undefined : globPattern(rule.path)
  }

  /** Chance that belongs to one block of one file, however often it is asked. */
  chanceOf(inode: Inode, block: number): Random {
    return random(this.#seed, 'glass', this.number, inode.number, block)
  }

  /** It acted, but what it did left everything as it was: that is no fault. */
  changedNothing(): void {
    this.acted -= 1
  }

  fits(operation: Operation, request: Request, paths: readonly string[]): boolean {
    const { rule } = this
    if (!rule.operations.includes(operation)) return false
    if (this.#pattern !== undefined && !paths.some((path) => this.#pattern!.test(path))) return false
    if (rule.from === undefined && rule.to === undefined) return true
    const { offset, length } = rangeOf(request)
    const { from = 0, to = Number.POSITIVE_INFINITY } = rule
    return offset < to && offset + Math.max(1, length) > from
  }

  /** Counts an operation that fits. @returns whether the rule acts on it */
  meets(request: Request): boolean {
    const { first = 1, last = Number.POSITIVE_INFINITY, step = 1, probability = 1, after, once } = this.rule
    this.met += 1
    this.#bytes += rangeOf(request).length
    if (once && this.acted > 0) return false
    if (this.met < first || this.met > last || (this.met - first) % step !== 0) return false
    if (after !== undefined && this.#bytes <= after) return false
    return probability >= 1 || this.random.chance(probability)
  }
}

/** The rules that are on, by the request that they are about. */
export class Rules {
  readonly #on = new Map<number, ActiveRule>()
  readonly #byOpcode: (ActiveRule[] | undefined)[] = []
  readonly #tree: Tree
  #next = 0

  constructor(tree: Tree) {
    this.#tree = tree
  }

  get all(): readonly ActiveRule[] {
    return [...this.#on.values()]
  }

  /** @returns the number of the new rule */
  add(rule: Rule, seed: string): number {
    const number = this.#next++
    this.#on.set(number, new ActiveRule(rule, number, seed))
    this.#sort()
    return number
  }

  remove(number: number): void {
    this.#on.delete(number)
    this.#sort()
  }

  #sort(): void {
    this.#byOpcode.length = 0
    for (const active of this.#on.values()) {
      const opcodes = new Set<number>(active.rule.operations.flatMap((name) => [...OPERATIONS[name]]))
      for (const opcode of opcodes) {
        this.#byOpcode[opcode] ??= []
        this.#byOpcode[opcode].push(active)
      }
    }
  }

  /** Those that may be about such a request; undefined where there is none. */
  about(opcode: number): readonly ActiveRule[] | undefined {
    return this.#byOpcode[opcode]
  }

  /** The first rule that acts on a request; every rule that fits counts it. */
  match(request: Request, about: readonly ActiveRule[]): ActiveRule | undefined {
    const inode = this.#tree.node(request.node)
    if (inode === undefined || !inode.isTargets) return undefined
    const operations = operationsOf(request)
    const paths = pathsOf(request, inode, this.#tree)
    let found: ActiveRule | undefined
    for (const active of about) {
      const fits = operations.some((operation) => active.fits(operation, request, paths))
      if (fits && active.meets(request)) found ??= active
    }
    if (found !== undefined) found.acted += 1
    return found
  }
}

/** What a request is, in the words of a rule. */
function operationsOf(request: Request): readonly Operation[] {
  switch (request.opcode) {
    case OP.fsync:
      return (request.u32(BODY + 8) & FSYNC_DATA_ONLY) === 0 ? ['fsync'] : ['fdatasync']
    case OP.setattr: {
      const valid = request.u32(BODY)
      if ((valid & SET.size) !== 0) return ['truncate']
      return (valid & (SET.mode | SET.uid | SET.gid)) !== 0 ? ['chmod'] : []
    }
    default:
      return (Object.keys(OPERATIONS) as Operation[]).filter((name) =>
        (OPERATIONS[name] as readonly number[]).includes(request.opcode),
      )
  }
}

/** The paths that a request is about, below the target's directory. */
function pathsOf(request: Request, inode: Inode, tree: Tree): string[] {
  const path = pathOf(inode).slice(TARGET_DIRECTORY.length + 1)
  const below = (directory: string, name: string) => (directory === '' ? name : `${directory}/${name}`)
  switch (request.opcode) {
    case OP.lookup:
    case OP.unlink:
    case OP.rmdir:
      return [below(path, request.name(BODY))]
    case OP.mkdir:
    case OP.link:
      return [below(path, request.name(BODY + 8))]
    case OP.create:
    case OP.mknod:
      return [below(path, request.name(BODY + 16))]
    case OP.rename:
    case OP.rename2: {
      const at = BODY + (request.opcode === OP.rename ? 8 : 16)
      const to = tree.node(request.u64(BODY))
      const target = to === undefined ? '' : pathOf(to).slice(TARGET_DIRECTORY.length + 1)
      return [below(path, request.name(at)), below(target, request.name(request.afterName(at)))]
    }
    default:
      return [path]
  }
}

/** The bytes of a file that a request is about. */
function rangeOf(request: Request): { readonly offset: number; readonly length: number } {
  switch (request.opcode) {
    case OP.read:
    case OP.write:
      return { offset: request.u64(BODY + 8), length: request.u32(BODY + 16) }
    case OP.fallocate:
      return { offset: request.u64(BODY + 8), length: request.u64(BODY + 16) }
    case OP.setattr:
      return { offset: request.u64(BODY + 16), length: 0 }
    default:
      return { offset: 0, length: 0 }
  }
}

function globPattern(glob: string): RegExp {
  const source = glob.replaceAll(/\*\*\/?|[*?]|[^*?]+/g, (part) => {
    if (part === '**/') return '(?:.*/)?'
    if (part === '**') return '.*'
    if (part === '*') return '[^/]*'
    return part === '?' ? '[^/]' : part.replaceAll(/[.+^${}()|[\]\\/]/g, '\\$&')
  })
  return new RegExp(`^${source}$`)
}
