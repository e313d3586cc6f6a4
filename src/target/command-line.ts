/** Command lines as text: quoted as POSIX shells do it, but nothing is expanded and no shell ever runs them. */
import { UsageError } from '../errors.js'

/** A character that a backslash protects between double quotes: POSIX 2.2.3. */
const ESCAPED_IN_DOUBLE_QUOTES = new Set(['"', '\\', '$', '`'])

/**
 * Splits a command line into its arguments.
 *
 * @throws UsageError where a quote is never closed, or a backslash is the last character
 */
export function splitCommandLine(text: string): string[] {
  const args: string[] = []
  /** Undefined between two arguments: an empty one is not none. */
  let arg: string | undefined
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at)
    if (/\s/.test(char)) {
      if (arg !== undefined) args.push(arg)
      arg = undefined
    } else if (char === "'" || char === '"') {
      const quoted = readQuoted(text, at)
      arg = (arg ?? '') + quoted.content
      at = quoted.end
    } else if (char === '\\') {
      at++
      if (at === text.length) throw unbalanced(text, at, 'a backslash with nothing after it')
      arg = (arg ?? '') + text.charAt(at)
    } else {
      arg = (arg ?? '') + char
    }
  }
  if (arg !== undefined) args.push(arg)
  return args
}

/** A command line that `splitCommandLine`, and any POSIX shell, takes apart into these arguments again. */
export function quoteCommandLine(args: readonly string[]): string {
  return args.map(quote).join(' ')
}

function quote(arg: string): string {
  return /^[\w@%+=:,./{}-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`
}

/** @param start where the opening quote is; `end` is where the closing one is */
function readQuoted(text: string, start: number): { content: string; end: number } {
  const mark = text.charAt(start)
  let content = ''
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charAt(at)
    if (char === mark) return { content, end: at }
    if (char === '\\' && mark === '"' && ESCAPED_IN_DOUBLE_QUOTES.has(text.charAt(at + 1))) at++
    content += text.charAt(at)
  }
  throw unbalanced(text, start + 1, `a ${mark} that is never closed`)
}

function unbalanced(text: string, column: number, what: string): UsageError {
  return new UsageError(`the command line has ${what}, at character ${column}: ${text}`, {
    hint: `write '…' around an argument to take it as it is, or \\ before a single character`,
  })
}
