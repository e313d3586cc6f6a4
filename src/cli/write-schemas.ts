/** A step of the build: writes the published JSON Schemas next to the compiled code. */
import { writeFile } from 'node:fs/promises'
import { scenarioJsonSchema } from '../scenario/json-schema.js'
import { z } from '../vendor/zod.js'
import { configSchema } from './config.js'
import { drillFileSchema } from './drill/spec.js'

/** For editors, as that of scenarios: `# yaml-language-server: $schema=node_modules/lightning-chaos/dist/config.schema.json`. */
function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(configSchema, { target: 'draft-2020-12', io: 'input' })
  return { $schema, $id: 'urn:lightning-chaos:config:1', title: 'lightning-chaos config', ...rest }
}

/** For editors, as the others. */
function drillJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(drillFileSchema, { target: 'draft-2020-12', io: 'input' })
  return { $schema, $id: 'urn:lightning-chaos:drill:1', title: 'lightning-chaos drill', ...rest }
}

for (const [name, schema] of [
  ['scenario', scenarioJsonSchema()],
  ['config', configJsonSchema()],
  ['drill', drillJsonSchema()],
] as const) {
  const file = new URL(`../${name}.schema.json`, import.meta.url)
  await writeFile(file, `${JSON.stringify(schema, null, 2)}\n`)
}
