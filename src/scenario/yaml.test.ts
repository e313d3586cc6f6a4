import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.js'
import { z } from '../vendor/zod.js'
import { parseYaml } from './yaml.js'

const step = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('run'), operations: z.number().int().min(1) }),
  z.discriminatedUnion('fault', [
    z.strictObject({ do: z.literal('inject'), fault: z.literal('ballast'), leave: z.number().default(0) }),
    z.strictObject({ do: z.literal('inject'), fault: z.literal('chmod') }),
  ]),
  z.strictObject({ do: z.literal('heal') }),
])

const schema = z.strictObject({
  name: z.string().min(1),
  kind: z.enum(['tmpfs', 'ext4']).default('tmpfs'),
  deep: z.boolean().optional(),
  sizes: z.union([z.strictObject({ fixed: z.number() }), z.strictObject({ largest: z.number() })]).optional(),
  even: z
    .number()
    .refine((n) => n % 2 === 0, 'expected an even number')
    .optional(),
  steps: z.array(step).min(1).optional(),
})

function message(text: string): string {
  try {
    parseYaml('my.yaml', text, schema)
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
  throw new Error(`accepted: ${text}`)
}

describe('parseYaml', () => {
  it('gives the data with the defaults of the schema', () => {
    const text = '# why\nname: a\nsteps:\n  - do: inject\n    fault: ballast\n  - {do: run, operations: 3}\n'
    expect(parseYaml('my.yaml', text, schema)).toEqual({
      name: 'a',
      kind: 'tmpfs',
      steps: [
        { do: 'inject', fault: 'ballast', leave: 0 },
        { do: 'run', operations: 3 },
      ],
    })
  })

  it('follows aliases, and says where the thing stands that one leads to', () => {
    const text = 'steps: [&step {do: run, operations: 1}, *step]\nname: x'
    expect(parseYaml('my.yaml', text, schema).steps).toHaveLength(2)
    expect(message('name: x\nsteps:\n  - &step {do: run, operations: 0}\n  - *step')).toBe(
      ['my.yaml:3:33: found 0, expected at least 1', 'my.yaml:3:33: found 0, expected at least 1'].join('\n'),
    )
  })

  it.each([
    ['an empty file', '', 'my.yaml:1:1: the file is empty'],
    ['a file of comments', '# nothing\n', 'my.yaml:1:1: the file is empty'],
    ['a tab', 'name: a\nsteps:\n\t- do: heal\n', 'my.yaml:3:1: found a tab as indentation, expected spaces'],
    [
      'a key twice',
      'name: a\nkind: tmpfs\nname: b\n',
      'my.yaml:3:1: found the same key a second time, expected each key once',
    ],
    [
      'two documents',
      'name: a\n---\nname: b\n',
      "my.yaml:2:1: found a second document ('---'), expected one",
    ],
    ['bad syntax', 'name: "a', 'my.yaml:1:9: not valid YAML: Missing closing "quote'],
    ['an unknown tag', 'name: !secret a', 'my.yaml:1:7: not valid YAML: Unresolved tag: !secret'],
    [
      'a key that is a list',
      'name: a\n? [b]\n: 1',
      'my.yaml:2:3: not valid YAML: With stringKeys, all keys must be strings',
    ],
    [
      'an alias of nothing',
      'name: a\nkind: *b',
      'my.yaml:2:7: not valid YAML: Unresolved alias (the anchor must be set before the alias): b',
    ],
    ['a text instead of a mapping', 'hello', "my.yaml:1:1: found 'hello', expected a mapping"],
    ['a list instead of a mapping', '- a', 'my.yaml:1:1: found a list, expected a mapping'],
    ['a missing key', '\nkind: ext4', "my.yaml:2:1: missing key 'name', expected a text"],
    ['a key without a value', 'name:\nkind: ext4', 'my.yaml:1:6: found nothing, expected a text'],
    ['an empty text', 'name: ""', "my.yaml:1:7: found '', expected a text"],
    ['a number for a text', 'name: 5', 'my.yaml:1:7: found 5, expected a text'],
    ['a text for a truth', 'name: a\ndeep: yes', "my.yaml:2:7: found 'yes', expected true or false"],
    [
      'a value that is not in the list',
      'name: a\nkind: tmps',
      "my.yaml:2:7: found 'tmps', expected one of tmpfs, ext4; did you mean tmpfs?",
    ],
    [
      'a value far from the list',
      'name: a\nkind: [x]',
      'my.yaml:2:7: found a list, expected one of tmpfs, ext4',
    ],
    ["a check of the schema's own", 'name: a\neven: 3', 'my.yaml:2:7: found 3, expected an even number'],
    ['an unknown key', 'name: a\nkidn: ext4', "my.yaml:2:1: unknown key 'kidn', did you mean kind?"],
    [
      'an unknown key far from all',
      'name: a\ncolour: red',
      "my.yaml:2:1: unknown key 'colour', expected one of name, kind, deep, sizes, even, steps",
    ],
    [
      'a name of JavaScript as a key',
      'name: a\n__proto__: {name: b}\nconstructor: 1',
      [
        "my.yaml:2:1: unknown key '__proto__', expected one of name, kind, deep, sizes, even, steps",
        "my.yaml:3:1: unknown key 'constructor', expected one of name, kind, deep, sizes, even, steps",
      ].join('\n'),
    ],
    ['an empty list', 'name: a\nsteps: []', 'my.yaml:2:8: found a list, expected a list of at least 1'],
    [
      'an unknown step',
      'name: a\nsteps:\n  - do: hael',
      "my.yaml:3:9: found 'hael', expected one of run, inject, heal; did you mean heal?",
    ],
    [
      'an unknown fault',
      'name: a\nsteps:\n  - do: inject\n    fault: balast',
      "my.yaml:4:12: found 'balast', expected one of ballast, chmod; did you mean ballast?",
    ],
    [
      'a step that says nothing to do',
      'name: a\nsteps:\n  - fault: chmod',
      "my.yaml:3:5: missing key 'do', expected one of run, inject, heal",
    ],
    ['a step that is a word', 'name: a\nsteps: [heal]', "my.yaml:2:9: found 'heal', expected a mapping"],
    [
      'a key that belongs to another step',
      'name: a\nsteps:\n  - do: heal\n    operations: 5',
      "my.yaml:4:5: unknown key 'operations', expected one of do",
    ],
    [
      'a fraction',
      'name: a\nsteps: [{do: run, operations: 1.5}]',
      'my.yaml:2:31: found 1.5, expected a whole number',
    ],
    ['infinity', 'name: a\neven: .inf', 'my.yaml:2:7: found Infinity, expected a number'],
    [
      'a form that nearly fits',
      'name: a\nsizes: {fixed: big}',
      "my.yaml:2:16: found 'big', expected a number",
    ],
    [
      'text that would break the line',
      'name: [a]\nkind: "a\\nb\\e[31m"',
      [
        'my.yaml:1:7: found a list, expected a text',
        "my.yaml:2:7: found 'a\\nb\\u001b[31m', expected one of tmpfs, ext4",
      ].join('\n'),
    ],
  ])('names line and column of %s', (_, text, expected) => {
    expect(message(text)).toBe(expected)
  })

  it('lists every problem, in the order of the file', () => {
    expect(message('sice: 1\nkind: ext3\nname: 7\nsteps:\n  - do: heal\n    x: 1\n    y: 2\n')).toBe(
      [
        "my.yaml:1:1: unknown key 'sice', did you mean sizes?",
        "my.yaml:2:7: found 'ext3', expected one of tmpfs, ext4; did you mean ext4?",
        'my.yaml:3:7: found 7, expected a text',
        "my.yaml:6:5: unknown key 'x', expected one of do",
        "my.yaml:7:5: unknown key 'y', expected one of do",
      ].join('\n'),
    )
  })

  it('stops listing after twenty problems', () => {
    const lines = message(`name: a\nsteps:\n${'  - do: x\n'.repeat(50)}`).split('\n')
    expect(lines).toHaveLength(21)
    expect(lines.at(-1)).toBe('… and 30 more problems')
  })

  it('takes a byte order mark and the line ends of Windows', () => {
    expect(message('\uFEFFname: a\r\nkind: ext4\r\nevem: 3\r\n')).toBe(
      "my.yaml:3:1: unknown key 'evem', did you mean even?",
    )
  })

  it('refuses a file whose aliases would unfold without end', () => {
    const level = (name: string, of: string) => `${name}: &${name} [${Array(9).fill(of).join(', ')}]`
    const bomb = [
      level('a', 'x'),
      ...[...'bcdefghi'].map((name, i) => level(name, `*${'abcdefgh'[i]}`)),
    ].join('\n')
    expect(message(bomb)).toBe(
      'my.yaml:2:8: not valid YAML: Excessive alias count indicates a resource exhaustion attack',
    )
  })

  it.each([['['], ['- '], ['? '], ['{a: ']])('refuses %j nested without end', (opener) => {
    expect(message(opener.repeat(20_000))).toMatch(/^my\.yaml:1:\d+: nested more than 64 levels deep$/)
  })
})
