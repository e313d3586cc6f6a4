import { describe, expect, it } from 'vitest'
import { FAULTS } from '../fault/index.js'
import { scenarioJsonSchema } from './json-schema.js'

/** As much of a JSON Schema as is looked at here. */
interface Node {
  readonly description?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly const?: unknown
  readonly anyOf?: readonly Node[]
  readonly pattern?: string
}

/** Every object of the schema for which the test holds. */
function* find(node: Node, test: (node: Node) => boolean): Generator<Node> {
  if (test(node)) yield node
  for (const child of Object.values(node))
    if (typeof child === 'object' && child !== null) yield* find(child, test)
}

describe('scenarioJsonSchema', () => {
  const schema = scenarioJsonSchema()

  it('says what it is', () => {
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: 'urn:lightning-chaos:scenario:1',
      title: 'lightning-chaos scenario',
      type: 'object',
      additionalProperties: false,
      required: ['name', 'title', 'why', 'volume', 'timeline'],
    })
  })

  it.each(FAULTS.map((fault) => [fault.kind, fault]))('describes %s with its parameters', (kind, fault) => {
    const [step] = find(schema, (node) => node.properties?.fault?.const === kind)
    expect(step).toMatchObject({
      description: fault.title,
      additionalProperties: false,
      required: ['do', 'fault'],
    })
    for (const [name, parameter] of Object.entries(fault.parameters))
      expect(step?.properties?.[name]).toMatchObject({
        description: parameter.about,
        default: parameter.default,
      })
  })

  it('lets an editor check sizes', () => {
    const [size] = find(schema, (node) => node.description?.startsWith('Capacity') === true)
    expect(size).toMatchObject({ anyOf: [{ type: 'integer', minimum: 0 }, { type: 'string' }] })
    const pattern = new RegExp(size?.anyOf?.[1]?.pattern ?? 'none', 'u')
    expect(['8MiB', '4096', '1.5 KiB', '8Mi', '-5', '1.5'].filter((text) => pattern.test(text))).toEqual([
      '8MiB',
      '4096',
      '1.5 KiB',
    ])
  })
})
