import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** How the names of the tests' directories begin. */
export const DIRECTORY_PREFIX = 'lightning-'

const made: string[] = []

afterAll(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true })
})

/** In memory where that is possible: for tests that sync thousands of times, and cut no power. */
export const QUICK = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** A path below a new directory that goes when the tests of this file are over. The path itself is not there yet. */
export function freshPath(parent = tmpdir()): string {
  const dir = mkdtempSync(join(parent, DIRECTORY_PREFIX))
  made.push(dir)
  return join(dir, 'db')
}
