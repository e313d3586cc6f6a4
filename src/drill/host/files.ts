/**
 * Files of others, reached by descriptors alone. Node has no openat(2): each part of a path is opened by itself, below
 * `/proc/self/fd/N` of the directory that was opened before it, with O_PATH and O_NOFOLLOW. A link anywhere on the way
 * is an error, and what was checked through a descriptor is what is changed through it, whatever its name has become.
 *
 * Names are bytes: a file system knows no encoding.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
} from 'node:fs'
import { HostError } from '../../errors.js'
import { CoveredError, RefusedError } from '../errors.js'

/** open(2): a descriptor for the place alone, which asks for no permission on the file. Node has no name for it. */
const O_PATH = 0o10000000
/** open(2): a file that never has a name, on the file system of the directory; it goes with its last descriptor. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY

const SLASH = Buffer.from('/')
const PARENT = Buffer.from('..')
/** How deep a walk goes: each level holds a descriptor, of which a process may have had 1024 once. */
const MOST_LEVELS = 512

/** Which file it is. Decimal numbers, as they do not fit into a double. */
export interface FileId {
  readonly dev: string
  readonly ino: string
  /** When it was made, in nanoseconds: a number is used again soon, with another time. 0 where that is not known. */
  readonly born: string
}

export function fileId({ dev, ino, birthtimeNs }: BigIntStats): FileId {
  return { dev: String(dev), ino: String(ino), born: String(birthtimeNs) }
}

/** @param devicesHold whether the numbers of devices are still the same: see devicesHold in place.ts */
export function isSameFile(a: FileId, b: FileId, devicesHold: boolean): boolean {
  return a.ino === b.ino && a.born === b.born && (!devicesHold || a.dev === b.dev)
}

/** The same for what is looked for by that, on one file system. */
export function fileKey({ ino, born }: FileId): string {
  return `${ino} ${born}`
}

/** The path by which other calls reach what a descriptor stands for. */
export function pathOf(fd: number, name?: Buffer): Buffer {
  const self = Buffer.from(`/proc/self/fd/${fd}`)
  return name === undefined ? self : Buffer.concat([self, SLASH, name])
}

/** The same for programs that we start, whose own /proc/self is another. */
export function procPath(fd: number): string {
  return `/proc/${process.pid}/fd/${fd}`
}

/**
 * Opens the place of an absolute path, or of one relative to `from`, without following a link.
 * @returns a descriptor that the caller has to close
 * @throws an Error of Node: ENOENT where it is not there, ENOTDIR where a part of the way is a link or no directory
 */
export function openPlace(path: string | Buffer, from?: number): number {
  const parts = split(Buffer.from(path))
  let fd = from === undefined ? openSync('/', O_PATH) : openSync(pathOf(from), O_PATH)
  for (const part of parts) fd = step(fd, part)
  return fd
}

/**
 * Opens a name in the directory of a descriptor, on the same mount. To open a place, and to ask the kernel for its mount, asks
 * nothing of the file system that is mounted there: one whose server is gone would never answer, and not even stat(2) may be
 * called on what a user has mounted for themselves (fuse(4), allow_other).
 * @param mount that of the directory, where many are opened
 * @throws CoveredError where something is mounted over it; RefusedError where it would lead elsewhere: names come from journals, too
 */
export function openAt(directory: number, name: Buffer, mount = mountId(directory)): number {
  return onMount(mount, openAcross(directory, name), name)
}

/**
 * Opens the directory that a directory lies in by now.
 * @throws CoveredError where something is mounted over that; an Error of Node where what it was opened through does not have it
 */
export function openParent(directory: number): number {
  return onMount(mountId(directory), openSync(pathOf(directory, PARENT), O_PATH), PARENT)
}

function onMount(mount: string | undefined, fd: number, name: Buffer): number {
  try {
    if (mountId(fd) === mount) return fd
    throw new CoveredError(`'${showName(name)}' is covered by what is mounted over it`)
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function openAcross(directory: number, name: Buffer): number {
  if (name.includes(SLASH) || name.equals(PARENT)) {
    throw new RefusedError(`'${showName(name)}' is no name of a file in a directory`)
  }
  return openSync(pathOf(directory, name), O_PATH | constants.O_NOFOLLOW)
}

function step(fd: number, part: Buffer): number {
  try {
    return openAcross(fd, part)
  } finally {
    closeSync(fd)
  }
}

/** Opens a new file without a name. @param mode flags beside: O_RDWR, O_WRONLY */
export function openUnnamed(directory: number, mode: number): number {
  return openSync(pathOf(directory), O_TMPFILE | mode, 0o600)
}

export function statOf(fd: number): BigIntStats {
  return fstatSync(fd, { bigint: true })
}

/** Whether an error says that something is not there, or not there any more in the way that it was. */
export function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')
}

/** Makes what was written into a directory last: fsync(2). */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Names of what is in a directory. */
export function namesIn(directory: number): Buffer[] {
  return readdirSync(pathOf(directory), { encoding: 'buffer' })
}

/**
 * Looks in a directory for what may have got another name: under the name that it should have, then under every other.
 * @returns its name, and a descriptor that the caller has to close
 */
export function findAt(
  directory: number,
  name: Buffer,
  isIt: (fd: number) => boolean,
): { readonly name: Buffer; readonly fd: number } | undefined {
  const mount = mountId(directory)
  for (const names of [() => [name], () => namesIn(directory)]) {
    for (const each of names()) {
      const fd = attempt(() => openOwn(directory, each, mount))
      if (fd === undefined) continue
      if (isIt(fd)) return { name: each, fd }
      closeSync(fd)
    }
  }
  return undefined
}

/** @returns undefined where something is mounted over it */
function openOwn(directory: number, name: Buffer, mount: string | undefined): number | undefined {
  try {
    return openAt(directory, name, mount)
  } catch (error) {
    if (error instanceof CoveredError) return undefined
    throw error
  }
}

/** Removes a directory of a directory. @returns false where something is in it */
export function removeEmpty(directory: number, name: Buffer): boolean {
  try {
    rmdirSync(pathOf(directory, name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY') return false
    if (!isGone(error)) throw error
  }
  return true
}

export interface Found {
  /** Relative to where the walk began; empty for that itself. */
  readonly path: Buffer
  /** Open until the next one is asked for. */
  readonly fd: number
  readonly stat: BigIntStats
}

/** Where a walk does not go: nothing is thrown by this, it goes on beside it. */
type LeaveOut = (why: HostError) => void

/**
 * A directory itself and everything below it, without leaving its file system, or the mount that it was opened through: what
 * is bound below it lies elsewhere. What goes away meanwhile is left out.
 * @param leaveOut hears of a directory that may not be read, is too deep, or is a subvolume, and is walked past
 * @throws HostError where there is such a directory, and nobody to hear of it
 */
export function* walk(root: number, leaveOut: LeaveOut = raise): Generator<Found> {
  const stat = statOf(root)
  yield { path: Buffer.alloc(0), fd: root, stat }
  if (stat.isDirectory())
    yield* below(root, Buffer.alloc(0), 1, { dev: stat.dev, mount: mountId(root), leaveOut })
}

interface Walk {
  readonly dev: bigint
  readonly mount: string | undefined
  readonly leaveOut: LeaveOut
}

function* below(directory: number, path: Buffer, level: number, within: Walk): Generator<Found> {
  const { dev, mount, leaveOut } = within
  if (level > MOST_LEVELS) return leaveOut(tooDeep(path))
  for (const name of readable(path, leaveOut, () => namesIn(directory)) ?? []) {
    const fd = readable(path, leaveOut, () => openOwn(directory, name, mount))
    if (fd === undefined) continue
    try {
      const full = path.length === 0 ? name : Buffer.concat([path, SLASH, name])
      const stat = readable(full, leaveOut, () => statOf(fd))
      if (stat === undefined) continue
      if (stat.dev !== dev) {
        leaveOut(ofItsOwn(full))
        continue
      }
      yield { path: full, fd, stat }
      if (stat.isDirectory()) yield* below(fd, full, level + 1, within)
    } finally {
      closeSync(fd)
    }
  }
}

/**
 * The mount that a descriptor was opened through: proc_pid_fdinfo(5). A bind mount has the device of what is bound.
 * @returns before Linux 5.14, for who has given up root's rights and may not read that, the device: it tells a witness enough
 */
export function mountId(fd: number): string | undefined {
  try {
    return /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
    return `device ${statOf(fd).dev}`
  }
}

/** Of a disk, or of the other side of a network, that is at fault for some files while others can be reached. */
const BROKEN = ['EIO', 'ENOTCONN', 'ESTALE']

/** @returns undefined where it has gone meanwhile, or is left out */
function readable<T>(path: Buffer, leaveOut: LeaveOut, read: () => T): T | undefined {
  try {
    return attempt(read)
  } catch (error) {
    const what = path.length === 0 ? 'that directory' : `'${showName(path)}' in it`
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'EACCES') leaveOut(forbidden(what, error))
    else if (BROKEN.includes(code))
      leaveOut(new HostError(`${what} cannot be read: ${code}`, { cause: error }))
    else throw error
    return undefined
  }
}

function forbidden(what: string, cause: unknown): HostError {
  return new HostError(`${what} may not be read`, {
    hint: 'call it as root, by sudo, or name a directory that is yours as a whole',
    cause,
  })
}

/** On the same mount, and with a device of its own: btrfs-subvolume(8). */
function ofItsOwn(path: Buffer): HostError {
  return new HostError(`'${showName(path)}' in it is a subvolume, a file system of its own`, {
    hint: 'name that directory, or one without subvolumes',
  })
}

/** Named by its first part: the whole may be longer than any message. */
function tooDeep(path: Buffer): HostError {
  const [first] = split(path)
  return new HostError(`'${showName(first!)}' in it is more than ${MOST_LEVELS} directories deep`, {
    hint: 'name a directory below it',
  })
}

function raise(error: Error): never {
  throw error
}

/** Opens many files below a directory, best in the order of a walk: what two paths share is opened once. */
export class Descent {
  readonly #root: number
  readonly #mount: string | undefined
  readonly #chain: { readonly name: Buffer; readonly fd: number }[] = []

  constructor(root: number) {
    this.#root = root
    this.#mount = mountId(root)
  }

  /**
   * @returns a descriptor that the caller has to close; undefined where it is not there any more
   * @throws CoveredError where something is mounted over it, or above it below the directory
   */
  open(path: Buffer): number | undefined {
    return attempt(() => {
      const parts = split(path)
      const last = parts.pop()
      if (last === undefined) return openSync(pathOf(this.#root), O_PATH)
      this.#enter(parts)
      return this.#openAt(last)
    })
  }

  close(): void {
    for (const { fd } of this.#chain.splice(0)) closeSync(fd)
  }

  #openAt(name: Buffer): number {
    return openAt(this.#chain.at(-1)?.fd ?? this.#root, name, this.#mount)
  }

  #enter(parts: readonly Buffer[]): void {
    const shared = this.#chain.findIndex(({ name }, depth) => !parts[depth]?.equals(name))
    if (shared >= 0) for (const { fd } of this.#chain.splice(shared)) closeSync(fd)
    for (const name of parts.slice(this.#chain.length)) {
      this.#chain.push({ name, fd: this.#openAt(name) })
    }
  }
}

/** @returns undefined where it is gone */
export function attempt<T>(open: () => T): T | undefined {
  try {
    return open()
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

function split(path: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at < path.length; ) {
    const slash = path.indexOf(SLASH, at)
    const end = slash < 0 ? path.length : slash
    if (end > at) parts.push(path.subarray(at, end))
    at = end + 1
  }
  return parts
}

/** Bytes of a name in JSON: as text where they are UTF-8, else in base64. */
export type JsonName = string | { readonly base64: string }

export function nameToJson(name: Buffer): JsonName {
  const text = name.toString('utf8')
  return Buffer.from(text, 'utf8').equals(name) ? text : { base64: name.toString('base64') }
}

export function nameFromJson(name: JsonName): Buffer {
  return typeof name === 'string' ? Buffer.from(name, 'utf8') : Buffer.from(name.base64, 'base64')
}

/** A name for people: on one line, whatever is in it. */
export function showName(name: Buffer): string {
  return JSON.stringify(name.toString('utf8')).slice(1, -1)
}
