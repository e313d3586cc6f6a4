/** `complete`: the script that a shell sources, and the answers to what that script asks for. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import completion, { type Command as Completion, script } from '@bomb.sh/tab'
import type { Command, Option } from 'commander'
import { UsageError } from '../errors.js'
import { REPORTERS } from '../report/index.js'
import { savedIds } from '../results/read.js'
import { ISOLATIONS } from '../sandbox/isolation.js'
import { BUILTIN_DIRECTORY, familiesOf, namesIn } from '../scenario/names.js'
import { BUNDLED_TARGETS } from '../target/registry.js'
import { DB_COMMANDS } from './db.js'
import { CI_SERVICES } from './init-files.js'
import { LANGUAGES } from './options.js'

const SHELLS = ['bash', 'zsh', 'fish']

/** What may stand in the place of a value, by the name of the option or the argument; some by that of their verb, too. */
type Values = Readonly<Record<string, readonly string[]>>

/**
 * @param asked the shell that wants a script, or the words of a command line of which the last is to be completed
 * @throws UsageError for another shell
 */
export async function complete(
  root: Command,
  asked: { readonly shell: string } | { readonly words: readonly string[] },
): Promise<void> {
  if ('shell' in asked) {
    if (!SHELLS.includes(asked.shell)) {
      throw new UsageError(`there is no completion for '${asked.shell}'`, {
        hint: `there is ${SHELLS.join(', ')}`,
      })
    }
    return script(asked.shell, root.name(), root.name())
  }
  const values = await valuesFor(asked.words.at(-1) ?? '')
  for (const command of root.commands) describe(command, command.name(), values)
  completion.parse([...asked.words])
}

function describe(command: Command, name: string, values: Values): void {
  const described = completion.command(name, command.description())
  for (const option of command.options) describeOption(described, option, values)
  for (const argument of command.registeredArguments) {
    const some = values[`${name} ${argument.name()}`] ?? values[argument.name()] ?? []
    described.argument(argument.name(), offer(some), argument.variadic)
  }
  for (const below of command.commands) describe(below, `${name} ${below.name()}`, values)
}

function describeOption(described: Completion, option: Option, values: Values): void {
  const name = option.long!.slice(2)
  if (option.isBoolean()) described.option(name, option.description)
  else described.option(name, option.description, offer(values[name] ?? []))
}

function offer(values: readonly string[]) {
  return (add: (value: string, description: string) => void) => {
    for (const value of values) add(value, '')
  }
}

async function valuesFor(word: string): Promise<Values> {
  const names = await namesIn(BUILTIN_DIRECTORY)
  const scenarios = [...familiesOf(names), ...names]
  const runs = ['last', ...(await savedIds())]
  const files = filesLike(word)
  // a name has a slash in it, too: only what begins as a path is one
  const own = /^\.{0,2}\//.test(word) ? files : []
  return {
    scenario: [...scenarios, ...own],
    scenarios,
    target: [...Object.keys(BUNDLED_TARGETS), ...files.filter((file) => /\.ya?ml$|\/$/.test(file))],
    reporter: Object.keys(REPORTERS),
    isolation: ISOLATIONS,
    ci: [...Object.keys(CI_SERVICES), 'none'],
    language: LANGUAGES,
    run: [...runs, ...own],
    baseline: [...runs, ...files],
    shell: SHELLS,
    'db command': Object.keys(DB_COMMANDS),
    ...Object.fromEntries(
      ['file', 'path', 'dir', 'config', 'output', 'history', 'keep'].map((name) => [name, files]),
    ),
  }
}

/** Files and directories that may be meant by the beginning of a path. */
function filesLike(word: string): string[] {
  const directory = word.slice(0, word.lastIndexOf('/') + 1)
  try {
    const entries = readdirSync(path.resolve(directory), { withFileTypes: true })
    return entries.map((entry) => `${directory}${entry.name}${entry.isDirectory() ? '/' : ''}`)
  } catch {
    return [] // no such directory, so nothing to offer
  }
}
