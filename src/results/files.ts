/** How files are written, so that nobody ever reads half of one; and whether they can be, before it matters. */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, realpath, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { HostError, UsageError } from '../errors.js'

/** A run can take minutes: that a file cannot be written is said before it begins. @throws UsageError */
export async function checkFile(file: string): Promise<void> {
  try {
    const regular = await regularFile(file)
    if (regular === undefined) return
    const trial = besides(regular)
    await writeFile(trial, '', { flag: 'wx' })
    await rm(trial)
  } catch (cause) {
    throw new UsageError(`${file} cannot be written: ${(cause as Error).message}`, {
      cause,
      hint: 'name a file in a directory that is there and may be written',
    })
  }
}

/** @throws UsageError where the directory is not there and cannot be made, or nothing can be made in it */
export async function checkDirectory(directory: string): Promise<void> {
  try {
    const made = await mkdir(directory, { recursive: true })
    await rmdir(await mkdtemp(path.join(directory, '.lightning-chaos-')))
    if (made !== undefined) await rm(made, { recursive: true })
  } catch (cause) {
    throw new UsageError(`${directory} cannot be written to: ${(cause as Error).message}`, {
      cause,
      hint: 'name a directory that may be written, or one that can be made',
    })
  }
}

/**
 * Writes beside the file and renames, so that nobody ever reads half of it. A device or a FIFO is written to as it is.
 * @param mode of the file, less what the umask takes
 * @throws HostError where there is no room, say
 */
export async function replaceFile(file: string, text: string, mode = 0o666): Promise<void> {
  try {
    const regular = await regularFile(file)
    if (regular === undefined) return await writeFile(file, text)
    const temporary = besides(regular)
    try {
      await writeFile(temporary, text, { flag: 'wx', flush: true, mode })
      await rename(temporary, regular)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  } catch (cause) {
    throw new HostError(`${file} could not be written: ${(cause as Error).message}`, { cause })
  }
}

/** What a path stands for, with links followed, if it is a file or nothing yet; undefined if it is a device or a FIFO. */
async function regularFile(file: string): Promise<string | undefined> {
  try {
    const status = await stat(file)
    if (status.isDirectory()) throw new Error('it is a directory')
    return status.isFile() ? await realpath(file) : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return file
    throw error
  }
}

function besides(file: string): string {
  // the number of a process is not enough: two containers can share a directory
  const name = `.${path.basename(file)}.${process.pid}-${randomBytes(4).toString('hex')}`
  return path.join(path.dirname(file), name)
}
