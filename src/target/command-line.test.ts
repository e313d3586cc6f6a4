import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.js'
import { quoteCommandLine, splitCommandLine } from './command-line.js'

const nasty = fc.string({ unit: fc.constantFrom(...` \t\n'"\\$\`{}a=é;|&*~#!`) })
const args = fc.array(fc.oneof(nasty, fc.string({ unit: 'grapheme' })))

describe('splitCommandLine', () => {
  it.each([
    ['', []],
    ['  python3   my.py\t{dir} ', ['python3', 'my.py', '{dir}']],
    [`a 'b c' "d e" f\\ g`, ['a', 'b c', 'd e', 'f g']],
    [`'' ""`, ['', '']],
    [`x'y'"z"`, ['xyz']],
    [`'a\\b' "a\\b" "\\"\\$" '"' "'"`, ['a\\b', 'a\\b', '"$', '"', "'"]],
    ['$HOME *.db a|b ~ `x`', ['$HOME', '*.db', 'a|b', '~', '`x`']],
  ])('%j', (text, expected) => {
    expect(splitCommandLine(text)).toEqual(expected)
  })

  it.each([
    [`run 'my db`, "a ' that is never closed, at character 5"],
    [`run "my db\\"`, 'a " that is never closed, at character 5'],
    ['run \\', 'a backslash with nothing after it, at character 5'],
  ])('%j is a mistake', (text, message) => {
    expect(() => splitCommandLine(text)).toThrow(UsageError)
    expect(() => splitCommandLine(text)).toThrow(message)
  })

  it('splits any text, or says what is unbalanced', () => {
    fc.assert(
      fc.property(nasty, (text) => {
        try {
          splitCommandLine(text)
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError)
        }
      }),
    )
  })
})

describe('quoteCommandLine', () => {
  it('is undone by splitCommandLine', () => {
    fc.assert(
      fc.property(args, (args) => {
        expect(splitCommandLine(quoteCommandLine(args))).toEqual(args)
      }),
    )
  })

  it('is understood by a shell in the same way', () => {
    const words = ['a b', "it's", '', '$HOME', '`x`', '*', '{dir}', '\\', 'é\n"', '#', '~']
    const script = `printf '%s\\0' ${quoteCommandLine(words)}`
    expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1)).toEqual(words)
  })
})
