import { accessSync, constants, existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { TargetNotStarted } from '../target/start-error.js'
import { COMMAND_PATH } from './command.js'

/**
 * The files that a command needs to be read: its program, and each argument that names a file that is there.
 * @throws TargetNotStarted where there is no such program
 */
export function filesOf(argv: readonly string[]): string[] {
  const [program = '', ...args] = argv
  const named = args.filter((arg) => arg.includes('/') && !arg.startsWith('-') && existsSync(arg))
  return [programOf(program, argv), ...named.map((arg) => path.resolve(arg))]
}

function programOf(program: string, argv: readonly string[]): string {
  const found = program.includes('/') ? path.resolve(program) : onPath(program)
  try {
    if (found === undefined) throw Object.assign(new Error('not on PATH'), { code: 'ENOENT' })
    accessSync(found, constants.X_OK)
    if (!statSync(found).isFile()) throw Object.assign(new Error('not a file'), { code: 'EACCES' })
    return found
  } catch (error) {
    throw new TargetNotStarted(argv, process.cwd(), error)
  }
}

/** Where a program is found, as execvp(3) would; undefined where it is not. */
export function onPath(program: string): string | undefined {
  const candidates = COMMAND_PATH.split(':').map((directory) => path.join(directory, program))
  return candidates.find((candidate) => {
    try {
      accessSync(candidate, constants.X_OK)
      return true
    } catch {
      return false // not here: the next directory may have it
    }
  })
}
