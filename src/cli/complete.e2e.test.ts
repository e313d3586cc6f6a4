/** Completion, in the shells themselves: a command is begun, Tab is pressed, and what comes out is run. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { BIN, cli, has } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'
import { Terminal } from '../testing/terminal.js'

/** How each shell is told to complete our commands, and to say that it is ready: in words that it does not echo before. */
const SHELLS = {
  bash: {
    argv: 'bash --norc --noprofile -i',
    begin:
      'source /usr/share/bash-completion/bash_completion; source <(lightning-chaos complete bash); PS1="re""ady> "',
  },
  zsh: {
    argv: 'zsh -f -i',
    begin: 'autoload -U compinit; compinit -D; source <(lightning-chaos complete zsh); PS1="re""ady> "',
  },
  fish: {
    argv: 'fish --no-config --interactive',
    begin: 'lightning-chaos complete fish | source; function fish_prompt; echo -n "re""ady> "; end',
  },
} as const

let PATH: string
let cwd: string
beforeAll(async () => {
  cwd = freshPath()
  await mkdir(cwd)
  // what is run shows the words that the shell made of the line
  const shim = `#!/bin/sh\n[ "$1" = complete ] && exec '${process.execPath}' '${BIN}' "$@"\nprintf 'ran:'\nprintf ' <%s>' "$@"\necho ' done'\n`
  await writeFile(path.join(cwd, 'lightning-chaos'), shim, { mode: 0o755 })
  PATH = `${cwd}:${process.env.PATH}`
})

describe.each(Object.entries(SHELLS))('%s', (shell, { argv, begin }) => {
  test('completes verbs, options, scenarios and targets', async ({ skip }) => {
    skip(!has(shell), `needs ${shell}: apt-get install ${shell} bash-completion`)
    const terminal = new Terminal(argv, { cwd, env: { PATH, HOME: cwd } })
    try {
      await terminal.type(`${begin}\r`, /ready> /)
      const line = async (keys: string) => await terminal.type(`${keys}\r`, /ran: (.*) done/)
      expect(await line('lightning-chaos sel\t')).toBe('<selftest>')
      expect(await line('lightning-chaos show diskfull/neigh\t')).toBe('<show> <diskfull/neighbour>')
      expect(await line('lightning-chaos run permissions/ro\t --resu\t 2s --target sq\t')).toBe(
        '<run> <permissions/rotation> <--resume-timeout> <2s> <--target> <sqlite>',
      )
    } finally {
      await terminal.close()
    }
  })
})

describe('what is offered', () => {
  async function offered(...words: string[]): Promise<string[]> {
    const { exitCode, stdout } = await cli(['complete', '--', ...words], { cwd })
    expect(exitCode).toBe(0)
    return stdout.split('\n').flatMap((line) => (/^:\d|^$/.test(line) ? [] : [line.split('\t')[0]!]))
  }

  test.each<[string[], string[]]>([
    [['rep'], ['replay', 'report']],
    [['target', ''], ['check']],
    [
      ['db', '.', 's'],
      ['scan', 'stats', 'salvage'],
    ],
    [
      ['run', '--reporter', 'j'],
      ['json', 'junit'],
    ],
    [
      ['run', '--isolation', ''],
      ['root', 'user', 'none'],
    ],
    [['run', 'nosuch'], []],
    [['validate', './light'], ['./lightning-chaos']],
    [['validate', '/nonexistent/'], []],
    [
      ['complete', ''],
      ['bash', 'zsh', 'fish'],
    ],
  ])('for %j', async (words, expected) => {
    expect(await offered(...words)).toEqual(expected)
  })

  test('every verb of the help', async () => {
    const { stdout } = await cli(['--help'])
    const verbs = [...stdout.matchAll(/^ {2}([a-z]+)[ |]/gm)]
      .map(([, verb]) => verb)
      .filter((verb) => verb !== 'help')
    const all = await offered('')
    expect(verbs.filter((verb) => !all.includes(verb!) && verb !== 'lightning')).toEqual([])
    expect(all.length).toBeGreaterThan(8)
  })
})

test('another shell is an error', async () => {
  expect(await cli(['complete', 'tcsh'])).toMatchObject({
    exitCode: 2,
    stdout: '',
    stderr: "error: there is no completion for 'tcsh'\nhint: there is bash, zsh, fish\n",
  })
})

test('nothing of it is loaded for anything else', async () => {
  const main = await readFile(new URL('./main.ts', import.meta.url), 'utf8')
  expect(main).toContain("await import('./complete.js')")
  expect(main).not.toMatch(/from '(@bomb\.sh\/tab|\.\/complete\.js)'/)
})
