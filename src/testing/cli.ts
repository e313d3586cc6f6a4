/** For end-to-end tests: starts the built command line as a process, as root and as an ordinary user. */
import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { SHARD_VARIABLES } from '../cli/shard.js'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
export const BIN = path.join(ROOT, 'bin/lightning-chaos.js')

export interface Identity {
  readonly name: 'root' | 'ordinary user'
  /** What stands in front of a command. */
  readonly prefix: readonly string[]
}

export const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']

/** Whom the end-to-end tests run as: root only where this is root, an ordinary user always. */
export const IDENTITIES: readonly Identity[] =
  process.geteuid?.() === 0
    ? [
        { name: 'root', prefix: [] },
        { name: 'ordinary user', prefix: NOBODY },
      ]
    : [{ name: 'ordinary user', prefix: [] }]

export interface CliOptions {
  readonly as?: Pick<Identity, 'prefix'>
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly input?: string
  /** Whether a run keeps its result in the working directory. */
  readonly save?: boolean
}

const NO_SHARD = Object.fromEntries(SHARD_VARIABLES.map((name) => [name, '']))

/** Runs the command line to its end, with no terminal. */
export function cli(args: readonly string[], { as, env = {}, cwd, input, save = false }: CliOptions = {}) {
  const noSave = args[0] === 'run' && !save ? ['--no-save'] : []
  const [program, ...rest] = [...(as?.prefix ?? []), process.execPath, BIN, ...args, ...noSave]
  return execa(program!, rest, {
    reject: false,
    stripFinalNewline: false,
    // what CI says of itself is for it alone
    env: { HOME: '/nonexistent', GITHUB_ACTIONS: '', ...NO_SHARD, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
  })
}

/** Whether a program is on PATH. */
export function has(program: string): boolean {
  return `${process.env.PATH}:/usr/sbin:/sbin`.split(':').some((directory) => {
    try {
      accessSync(path.join(directory, program), constants.X_OK)
      return true
    } catch {
      return false // not in this directory
    }
  })
}
