/** `drill export --chaostoolkit`. */
import path from 'node:path'
import { toolPackage } from '../package.js'
import type { Screen } from '../screen.js'
import { chaosToolkit } from './chaos-toolkit.js'
import { readDrillFile } from './spec.js'

export async function drillExport(file: string, { out }: Screen): Promise<void> {
  const spec = await readDrillFile(file)
  out.write(`${JSON.stringify(chaosToolkit(spec, path.resolve(file), toolPackage()), null, 2)}\n`)
}
