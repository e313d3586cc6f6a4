/**
 * Probes: a small program, run as the target and on the target's volume, tries what a fault forbids. The error
 * that it gets is the kernel's own word that the fault is there for the target.
 */
import { lstat, rm } from 'node:fs/promises'
import path from 'node:path'
import { CommandError, command } from '../sandbox/command.js'

/** The names of errors by the text that the C locale gives them: strerror(3). */
const ERRNO_BY_TEXT: readonly (readonly [text: string, errno: string])[] = [
  ['No space left on device', 'ENOSPC'],
  ['Disk quota exceeded', 'EDQUOT'],
  ['File too large', 'EFBIG'],
  ['Permission denied', 'EACCES'],
  ['Operation not permitted', 'EPERM'],
  ['Read-only file system', 'EROFS'],
  ['Input/output error', 'EIO'],
  ['Too many open files', 'EMFILE'],
]

/** Wraps a command so that it runs as the target. */
export type AsTarget = (command: readonly string[]) => readonly string[]

/** @returns the name of the error that the command ran into; undefined where it succeeded */
async function errnoOf(argv: readonly string[]): Promise<string | undefined> {
  const [file, ...args] = argv
  try {
    await command(file!, ...args)
    return undefined
  } catch (error) {
    // only its own words count: setpriv or unshare in front of it may fail for reasons of their own
    const known =
      error instanceof CommandError &&
      ERRNO_BY_TEXT.find(([text]) => new RegExp(`^(dd|comm): .*: ${text}$`, 'm').test(error.stderr))
    if (!known) throw error
    return known[1]
  }
}

/** What a probe ran into: the name of the error, and what was tried, in words. */
export interface ProbeResult {
  readonly errno: string
  readonly detail: string
}

/**
 * Writes 64 KiB to a new file in `directory` and syncs it.
 * @param before a command in front of the write that sets a limit, say
 */
export function probeWrite(asTarget: AsTarget, directory: string, before: readonly string[] = []) {
  return probeNewFile(directory, 'writing 64 KiB to a new file and syncing it, as the target', (file) =>
    asTarget([
      ...before,
      'dd',
      'if=/dev/zero',
      `of=${file}`,
      'bs=64k',
      'count=1',
      'conv=fsync',
      'status=none',
    ]),
  )
}

/** Creates an empty file in `directory`. */
export function probeCreate(asTarget: AsTarget, directory: string): Promise<ProbeResult | undefined> {
  return probeNewFile(directory, `creating a file in ${path.basename(directory)}/, as the target`, (file) =>
    asTarget(['dd', 'if=/dev/null', `of=${file}`, 'status=none']),
  )
}

/** Opens a file for writing and leaves it as it is. The target may have removed it meanwhile: that shows nothing. */
export async function probeOpen(asTarget: AsTarget, file: string): Promise<ProbeResult | undefined> {
  const status = await lstat(file).catch(ignoreMissing)
  if (!status?.isFile()) return undefined
  const errno = await errnoOf(
    asTarget(['dd', 'if=/dev/null', `of=${file}`, 'conv=notrunc,nocreat', 'status=none']),
  )
  return errno === undefined
    ? undefined
    : { errno, detail: `opening ${path.basename(file)} for writing, as the target` }
}

/** Opens two files at a time where a third descriptor beside the standard ones is not to be had. */
export async function probeOpenTwo(asTarget: AsTarget): Promise<ProbeResult | undefined> {
  const errno = await errnoOf(asTarget(['prlimit', '--nofile=4:', 'comm', '/dev/null', '/dev/null']))
  return errno === undefined ? undefined : { errno, detail: 'opening one file more than that, as the target' }
}

async function probeNewFile(
  directory: string,
  detail: string,
  argv: (file: string) => readonly string[],
): Promise<ProbeResult | undefined> {
  const file = path.join(directory, `.probe-${process.pid}`)
  try {
    const errno = await errnoOf(argv(file))
    return errno === undefined ? undefined : { errno, detail }
  } finally {
    await rm(file, { force: true }).catch(ignoreReadOnly)
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/** A probe that was refused left nothing to remove, and where nothing can be removed nothing was made. */
function ignoreReadOnly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EROFS' && error.code !== 'EPERM' && error.code !== 'EACCES') throw error
}
