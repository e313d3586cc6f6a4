import { accessSync, constants, existsSync } from 'node:fs'
import path from 'node:path'
import { COMMAND_PATH } from './command.js'

/** The files that a command needs to be read: its program, and each argument that names a file that is there. */
export function filesOf(argv: readonly string[]): string[] {
  const [program = '', ...args] = argv
  const found = program.includes('/') ? path.resolve(program) : onPath(program)
  const named = args.filter((arg) => arg.includes('/') && !arg.startsWith('-') && existsSync(arg))
  return [...(found === undefined ? [] : [found]), ...named.map((arg) => path.resolve(arg))]
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
