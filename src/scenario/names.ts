/** What the built-in scenarios are called. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's own scenarios: as far away from dist/scenario as from src/scenario. */
export const BUILTIN_DIRECTORY = fileURLToPath(new URL('../../scenarios/', import.meta.url))
/** How the file of a scenario ends. */
export const SUFFIX = /\.ya?ml$/

/** Names of the scenarios in a directory, sorted. A name is the path of its file, without the suffix. */
export async function namesIn(directory: string): Promise<string[]> {
  const files = await readdir(directory, { recursive: true })
  return files
    .filter((file) => SUFFIX.test(file))
    .map((file) => file.replace(SUFFIX, '').split(path.sep).join('/'))
    .sort()
}

/** The families that names belong to, each once. */
export function familiesOf(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => name.split('/')[0]!))]
}
