/** For tests of what runs in a CI service: its scripts, on this machine. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { SHARD_VARIABLES } from '../cli/shard.js'
import { BIN, ROOT } from './cli.js'
import { freshPath } from './directory.js'

/** A directory of a project whose run has two short trials, unless its config says otherwise. */
export async function project(config = 'scenarios: [diskfull/neighbour]\ntrials: 2\n'): Promise<string> {
  const cwd = freshPath()
  await mkdir(cwd)
  await chmod(path.dirname(cwd), 0o755)
  await chmod(cwd, 0o777)
  await writeFile(path.join(cwd, 'lightning-chaos.config.yaml'), config)
  return cwd
}

/** A PATH on which npx runs this package, and nothing else, and sudo changes nothing. */
export async function toolPath(): Promise<string> {
  const { version } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'))
  const directory = freshPath()
  await mkdir(directory)
  await chmod(path.dirname(directory), 0o755)
  const write = (name: string, script: string) =>
    writeFile(path.join(directory, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  await write(
    'npx',
    `[ "$1 $2" = '--yes lightning-chaos@${version}' ] || exit 99\nshift 2\nexec '${process.execPath}' '${BIN}' "$@"`,
  )
  await write('sudo', '[ "$1" = --preserve-env ] || exit 99\nshift\nexec "$@"')
  return `${directory}:${process.env.PATH}`
}

export interface ScriptOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly prefix?: readonly string[]
}

/** Runs a script as GitHub runs those with `shell: bash`, and GitLab's runner does much the same. */
export async function bash(script: string, { cwd, env = {}, prefix = [] }: ScriptOptions) {
  const blank = Object.fromEntries(SHARD_VARIABLES.map((name) => [name, '']))
  const [program, ...args] = [...prefix, 'bash', '--noprofile', '--norc', '-eo', 'pipefail', '-c', script]
  return await execa(program!, args, {
    cwd,
    reject: false,
    stripFinalNewline: false,
    env: { HOME: '/nonexistent', GITHUB_ACTIONS: '', ...blank, ...env },
  })
}
