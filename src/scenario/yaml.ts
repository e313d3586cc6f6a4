/** YAML to checked data: everything that is wrong with a file, each problem with line and column, in one error. */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  Parser,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml'
import { UsageError } from '../errors.js'
import type { z } from '../vendor/zod.js'
import { nearest } from './nearest.js'

/** Far more than any scenario needs; the composer is recursive, and Node dies when its stack runs out there. */
const MAX_DEPTH = 64
/** How often an alias may be expanded in all, so that a small file cannot unfold into gigabytes. */
const MAX_ALIASES = 100
const MAX_PROBLEMS = 20

/** What is wrong with a file, and where: the offset of a character in its text. */
interface Problem {
  readonly offset: number
  readonly text: string
}

type Path = readonly PropertyKey[]

/**
 * Parses a YAML text and checks it against a schema.
 *
 * Messages of the schema's own checks should read "expected …": they follow a "found …" that says what is there.
 *
 * @param file the name of the file as the user knows it, for the messages
 * @throws UsageError with a line `file:line:column: what was found, what was expected` for each problem
 */
export function parseYaml<T>(file: string, text: string, schema: z.ZodType<T>): T {
  const result = parse(text, schema)
  if ('value' in result) return result.value

  const shown = result.problems
    .slice(0, MAX_PROBLEMS)
    .map((problem) => `${file}:${position(text, problem.offset)}: ${problem.text}`)
  const left = result.problems.length - shown.length
  throw new UsageError([...shown, ...(left > 0 ? [`… and ${left} more problems`] : [])].join('\n'))
}

/** Line and column, both from 1. */
function position(text: string, offset: number): string {
  const before = text.slice(0, offset)
  return `${before.split('\n').length}:${offset - before.lastIndexOf('\n')}`
}

type Parsed<T> = { readonly value: T } | { readonly problems: readonly Problem[] }

function parse<T>(text: string, schema: z.ZodType<T>): Parsed<T> {
  const depth = tooDeep(text)
  if (depth !== undefined)
    return { problems: [{ offset: depth, text: `nested more than ${MAX_DEPTH} levels deep` }] }

  const document = parseDocument(text, {
    logLevel: 'error',
    prettyErrors: false,
    stringKeys: true,
  })
  const syntax = [...document.errors, ...document.warnings]
  if (syntax.length > 0) return { problems: syntax.map(syntaxProblem) }
  if (document.contents === null) return { problems: [{ offset: 0, text: 'the file is empty' }] }

  let data: unknown
  try {
    data = document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error
    return { problems: [aliasProblem(error, document)] }
  }
  const checked = schema.safeParse(data, { error: expectation })
  if (checked.success) return { value: checked.data }
  const problems = checked.error.issues.flatMap((issue) => issueProblems(issue, document, data))
  return { problems: problems.sort((a, b) => a.offset - b.offset) }
}

/** Offset at which the text is nested too deep; undefined where it is not. The lexer and parser do not recurse. */
function tooDeep(text: string): number | undefined {
  const parser = new Parser()
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > MAX_DEPTH) return parser.offset
  }
  return undefined
}

function syntaxProblem(error: YAMLError): Problem {
  const [offset] = error.pos
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return { offset, text: 'found a tab as indentation, expected spaces' }
    case 'DUPLICATE_KEY':
      return { offset, text: 'found the same key a second time, expected each key once' }
    case 'MULTIPLE_DOCS':
      return { offset, text: "found a second document ('---'), expected one" }
    default:
      return { offset, text: `not valid YAML: ${error.message}` }
  }
}

/** The library says which alias it could not resolve only in its message, and not where an excess of them began. */
function aliasProblem(error: ReferenceError, document: Document): Problem {
  const aliases: Alias[] = []
  visit(document, { Alias: (_, alias) => void aliases.push(alias) })
  const culprit = aliases.find(({ source }) => error.message.endsWith(`: ${source}`)) ?? aliases[0]
  return { offset: culprit?.range?.[0] ?? 0, text: `not valid YAML: ${error.message}` }
}

const NO_FORM_FITS = 'expected another form'

/** What the schema expected, in words. A schema's own message takes precedence over this. */
const expectation: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPE_WORDS[issue.expected] ?? issue.expected}`
    case 'invalid_value':
      return expectedOneOf(issue.values.map(String), issue.input)
    case 'invalid_union':
      if (!Array.isArray(issue.options) || issue.discriminator === undefined) return NO_FORM_FITS
      return expectedOneOf(issue.options.map(String), valueAt(issue.input, [issue.discriminator]))
    case 'unrecognized_keys': {
      const known = Object.keys((issue.inst as z.ZodObject).shape)
      return issue.keys.map((key) => suggestKey(key, known)).join('\n')
    }
    case 'too_small':
    case 'too_big': {
      const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum
      const bound = `at ${issue.code === 'too_small' ? 'least' : 'most'} ${limit}`
      if (issue.origin === 'string') return limit === 1 ? 'expected a text' : `expected ${bound} characters`
      return issue.origin === 'array' ? `expected a list of ${bound}` : `expected ${bound}`
    }
    default:
      return undefined
  }
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
}

function expectedOneOf(choices: readonly string[], found: unknown): string {
  if (choices.length === 1) return `expected ${choices[0]}`
  const near = typeof found === 'string' ? nearest(found, choices) : undefined
  return `expected one of ${choices.join(', ')}${near === undefined ? '' : `; did you mean ${near}?`}`
}

function suggestKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known)
  return near === undefined ? `expected one of ${known.join(', ')}` : `did you mean ${near}?`
}

function issueProblems(issue: z.core.$ZodIssue, document: Document, data: unknown): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    // One line of the message a key, as `expectation` wrote it.
    const expected = issue.message.split('\n')
    return issue.keys.map((key, index) => ({
      offset: offsetOf(document, [...issue.path, key], 'key'),
      text: `unknown key ${quote(key)}, ${expected[index]}`,
    }))
  }
  if (issue.code === 'invalid_union' && issue.message === NO_FORM_FITS) {
    const closest = [...issue.errors].sort((a, b) => a.length - b.length)[0] ?? []
    return closest.flatMap((inner) =>
      issueProblems({ ...inner, path: [...issue.path, ...inner.path] }, document, data),
    )
  }
  const value = valueAt(data, issue.path)
  const missing = value === undefined
  const what = missing ? `missing key ${quote(String(issue.path.at(-1)))}` : `found ${describe(value)}`
  return [{ offset: offsetOf(document, issue.path, 'value'), text: `${what}, ${issue.message}` }]
}

function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    data,
  )
}

function describe(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  return typeof value === 'string' ? quote(value) : String(value)
}

/** Short, and on one line whatever is in it. */
function quote(text: string): string {
  const short = text.length > 40 ? `${text.slice(0, 40)}…` : text
  return `'${JSON.stringify(short).slice(1, -1)}'`
}

/** Offset of what the path leads to, or of the nearest thing around it that is there. */
function offsetOf(document: Document, path: Path, part: 'key' | 'value'): number {
  let node: unknown = document.contents
  let offset = 0
  for (const [depth, key] of path.entries()) {
    if (isNode(node)) offset = node.range?.[0] ?? offset
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key))
      if (pair === undefined) return offset
      node = part === 'key' && depth === path.length - 1 ? pair.key : pair.value
    } else {
      node = isSeq(node) ? node.items[Number(key)] : undefined
    }
  }
  return isNode(node) ? (node.range?.[0] ?? offset) : offset
}
