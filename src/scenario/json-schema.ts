import { z } from '../vendor/zod.js'
import { scenarioSchema } from './schema.js'

/**
 * The JSON Schema of scenario files (draft 2020-12), for editors: a file whose first line is
 * `# yaml-language-server: $schema=node_modules/lightning-chaos/dist/scenario.schema.json` is completed and checked
 * while it is written. What depends on more than one value is checked by `lightning-chaos validate` alone.
 */
export function scenarioJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(scenarioSchema, { target: 'draft-2020-12', io: 'input' })
  return { $schema, $id: 'urn:lightning-chaos:scenario:1', title: 'lightning-chaos scenario', ...rest }
}
