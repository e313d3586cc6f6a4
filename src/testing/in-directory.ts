/** For tests of what works in the working directory. */
import { mkdir } from 'node:fs/promises'
import { freshPath } from './directory.js'

/** Calls `use` with a new, empty working directory. */
export async function inNewDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = freshPath()
  await mkdir(directory)
  const before = process.cwd()
  process.chdir(directory)
  try {
    return await use(directory)
  } finally {
    process.chdir(before)
  }
}
