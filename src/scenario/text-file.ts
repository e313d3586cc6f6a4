/** Reads a file that a person wrote for us: a scenario, a target, a config. */
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { UsageError } from '../errors.js'

/** Far more than any of them can have to say. */
const MAX_BYTES = 1024 * 1024

/**
 * @param what the file ought to be, with its article: 'a scenario'
 * @param missing what helps somebody whose file is not there
 * @throws UsageError that says what is wrong with the file
 */
export async function readTextFile(file: string, what: string, missing: string): Promise<string> {
  let bytes: Buffer
  try {
    const status = await stat(file)
    if (status.isDirectory())
      throw new UsageError(`${file}: is a directory, expected ${what} file`, {
        hint: `name one: ${path.join(file, 'NAME.yaml')}`,
      })
    // Reading a FIFO or a device could wait, or go on, for ever.
    if (!status.isFile()) throw new UsageError(`${file}: is not a file`, { hint: `${what} is a YAML file` })
    if (status.size > MAX_BYTES)
      throw new UsageError(`${file}: is ${status.size} bytes long, expected at most ${MAX_BYTES}`, {
        hint: `${what} takes a few hundred bytes; is this the right file?`,
      })
    bytes = await readFile(file)
  } catch (error) {
    throw error instanceof UsageError ? error : unreadable(file, error as NodeJS.ErrnoException, missing)
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    if (!text.includes('\0')) return text
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  }
  throw new UsageError(`${file}: is not a text in UTF-8`, {
    hint: `${what} is a YAML file, saved as UTF-8`,
  })
}

function unreadable(file: string, cause: NodeJS.ErrnoException, missing: string): UsageError {
  switch (cause.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new UsageError(`${file}: no such file`, { hint: missing, cause })
    case 'EACCES':
      return new UsageError(`${file}: may not be read`, { hint: `chmod +r ${file}`, cause })
    default:
      return new UsageError(`${file}: cannot be read: ${cause.message}`, { cause })
  }
}
