/**
 * The system calls that need care. All of them block: see docs/lightning.md, 'Why it blocks', for the figures.
 */
import fs from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf, IoError } from './errors.js'

/** Times that a call which the system asked to repeat is repeated. */
const PATIENCE = 100

/** How far a write came, and what ended it where it did not come to its end. */
export interface WriteOutcome {
  readonly written: number
  readonly error?: unknown
}

/**
 * Writes all of `bytes` at `position`. A short write is continued: on a disk that is nearly full the first call
 * writes what fits, and only the next one says why.
 */
export function writeFully(fd: number, bytes: Uint8Array, position: number): WriteOutcome {
  let written = 0
  for (let idle = 0; written < bytes.length; ) {
    try {
      const count = fs.writeSync(fd, bytes, written, bytes.length - written, position + written)
      written += count
      if (count > 0) continue
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EINTR' && code !== 'EAGAIN') return { written, error }
    }
    if (++idle > PATIENCE) return { written, error: new IoError('EAGAIN', 'the file takes no more bytes') }
  }
  return { written }
}

/** Fills `bytes` from `position` and returns how many were there before the file ended. */
export function readFully(fd: number, bytes: Uint8Array, position: number): number {
  let filled = 0
  while (filled < bytes.length) {
    const count = fs.readSync(fd, bytes, filled, bytes.length - filled, position + filled)
    if (count === 0) break
    filled += count
  }
  return filled
}

/** Closes a file, whatever the system says to that: the descriptor is gone all the same, and what counts was synced. */
export function closeFile(fd: number): void {
  try {
    fs.closeSync(fd)
  } catch (error) {
    if (errnoOf(error) === 'EBADF') throw error // a mistake of ours
  }
}

/**
 * Renames a file, durably. The directory is opened before anything is done: to find out afterwards that no descriptor
 * is left would be too late.
 * @throws IoError where the rename was done and it is not known whether it is durable
 */
export function renameDurably(from: string, to: string): void {
  withDirectory(dirname(to), (sync) => {
    fs.renameSync(from, to)
    sync()
  })
}

/**
 * Makes a directory where there is none, its parents too, and its own entry durable. Not by mkdir's `recursive`: in
 * Node 20 that never ends where a parent is there and yet says ENOENT, as those in /proc do.
 */
export function makeDirectory(path: string): void {
  if (fs.existsSync(path)) return
  const parent = dirname(path)
  makeDirectory(parent)
  withDirectory(parent, (sync) => {
    try {
      fs.mkdirSync(path)
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST' || !fs.existsSync(path)) throw error // else somebody else has just made it
    }
    sync()
  })
}

/**
 * Makes the own entry of a directory durable that is there already: who made it may have been killed before that. Where
 * the one above it may not be read, or is of a kind that cannot be synced (fsync(2), EINVAL), that was up to them.
 */
export function syncNew(path: string): void {
  try {
    syncDirectory(dirname(path))
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** Makes the entries of a directory durable. */
export function syncDirectory(path: string): void {
  withDirectory(path, (sync) => sync())
}

/** Windows can't sync a directory, and needs no such thing. */
function withDirectory(path: string, work: (sync: () => void) => void): void {
  if (process.platform === 'win32') {
    work(() => {})
    return
  }
  const fd = fs.openSync(path, 'r')
  try {
    work(() => syncOrFail(() => fs.fsyncSync(fd), `directory ${path}`))
  } finally {
    closeFile(fd)
  }
}

/** Makes the content of a file durable. @throws IoError whatever the errno: it is not known what is durable now */
export function syncData(fd: number, path: string): void {
  syncOrFail(() => fs.fdatasyncSync(fd), path)
}

function syncOrFail(sync: () => void, what: string): void {
  try {
    sync()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new IoError(code ?? 'EIO', `it is not known whether ${what} is durable: ${message}`, error)
  }
}

/** Removes a file that is of no use to anybody; it does no harm where it stays. */
export function removeLeftover(path: string): boolean {
  try {
    fs.unlinkSync(path)
    return true
  } catch {
    // Covered or unfinished files are told apart at every open, so the next one tries again.
    return false
  }
}

const ATTEMPTS = 5

/**
 * Reads what somebody else may compact meanwhile: between the listing and the opening files get another content, and go.
 * Once more, then.
 * @param isStale whether an error may come of that
 */
export async function withoutLock<T>(
  read: () => Promise<T>,
  isStale = (error: unknown) => errnoOf(error) === 'ENOENT',
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read()
    } catch (error) {
      if (!isStale(error) || attempt === ATTEMPTS) throw error
    }
  }
}

/** Lets waiting callbacks run before a long piece of work goes on. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
