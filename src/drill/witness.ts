/**
 * The witness: a process with the rights of the service that tries what a fault forbids, when it is told to. It is started
 * before the fault, becomes that user for good, and leaves nothing behind: it writes only to a file without a name.
 *
 * Arguments: user, group, other groups (comma-separated), the directory, the bytes to write, the files to make beside.
 */
import { closeSync, constants, fsyncSync, openSync, readdirSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { CoveredError } from './errors.js'
import { openAt, openPlace, openUnnamed, pathOf, statOf } from './host/files.js'

// Node opens its debugger on this signal; the user whose process this is about to become may send it, and not before
process.on('SIGUSR1', () => {})

const [uid = '', gid = '', groups = '', directory = '', bytes = '0', files = '0'] = process.argv.slice(2)

if (process.geteuid?.() === 0) {
  process.setgroups!(groups.split(',').filter(Boolean).map(Number))
  process.setgid!(Number(gid))
  process.setuid!(Number(uid))
}

/** Files beside, that are opened for writing and left as they are. */
const MOST_FILES = 20
const PIECE = Buffer.alloc(1024 * 1024)

/** What was tried, and the error that it ran into: null where it worked. */
export interface Testimony {
  /** The same thing has the same name each time. */
  readonly what: string
  /** How far it came, in words. */
  readonly tried: string
  readonly errno: string | null
}

process.stdout.on('error', () => process.exit(0)) // nobody is left to be told
createInterface({ input: process.stdin })
  .on('line', () => process.stdout.write(`${JSON.stringify(testify())}\n`))
  .on('close', () => process.exit(0))

function testify(): Testimony[] {
  let place: number
  try {
    place = openPlace(directory)
  } catch (error) {
    return [{ what: 'write', tried: 'entering the directory', errno: codeOf(error) }]
  }
  try {
    return [write(place), ...openFiles(place)]
  } finally {
    closeSync(place)
  }
}

function write(place: number): Testimony {
  let tried = 'making a file'
  const made: number[] = []
  const make = () => made[made.push(openUnnamed(place, constants.O_WRONLY)) - 1]!
  try {
    while (made.length < Number(files)) make()
    const fd = make()
    tried = `writing ${bytes} bytes to a new file and syncing it`
    for (let left = Number(bytes); left > 0; ) left -= writeSync(fd, PIECE, 0, Math.min(left, PIECE.length))
    fsyncSync(fd)
    return { what: 'write', tried, errno: null }
  } catch (error) {
    return { what: 'write', tried, errno: codeOf(error) }
  } finally {
    for (const fd of made) closeSync(fd)
  }
}

function openFiles(place: number): Testimony[] {
  let names: Buffer[]
  try {
    names = readdirSync(pathOf(place), { encoding: 'buffer' })
  } catch (error) {
    return [{ what: 'list', tried: 'listing the directory', errno: codeOf(error) }]
  }
  const found: Testimony[] = []
  for (const name of names) {
    if (found.length === MOST_FILES) break
    const errno = openFile(place, name)
    if (errno === undefined) continue
    const tried = `opening ${name.toString()} for writing`
    found.push({ what: tried, tried, errno })
  }
  return found
}

/** @returns undefined where that is no file, gone, or another mount's, which the fault does not reach */
function openFile(place: number, name: Buffer): string | null | undefined {
  let fd: number | undefined
  try {
    fd = openAt(place, name)
    if (!statOf(fd).isFile()) return undefined
    closeSync(openSync(pathOf(fd), constants.O_WRONLY | constants.O_NONBLOCK))
    return null
  } catch (error) {
    if (error instanceof CoveredError) return undefined
    const code = codeOf(error)
    return code === 'ENOENT' ? undefined : code
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}
