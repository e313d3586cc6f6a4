/** A step of the build: writes the published JSON Schema next to the compiled code. */
import { writeFile } from 'node:fs/promises'
import { scenarioJsonSchema } from './json-schema.js'

const file = new URL('../scenario.schema.json', import.meta.url)
await writeFile(file, `${JSON.stringify(scenarioJsonSchema(), null, 2)}\n`)
