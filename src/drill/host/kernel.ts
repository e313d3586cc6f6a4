/** Files of /proc and /sys, of what may end, be closed or be given back at any moment, or is not ours to look at. */
import { readdirSync, readFileSync } from 'node:fs'

/** @returns undefined where it is not there, or not any more */
export function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined // whoever asks tells that from a text
  }
}

/** @returns nothing where it is not there, or not any more */
export function namesOf(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return [] // the same as for an empty one: there is nothing to look at
  }
}
