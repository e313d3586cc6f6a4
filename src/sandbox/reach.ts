/**
 * Lets another user reach what comes with us: our package, and the Node that runs it. Either may lie below a
 * directory that only root may enter: npx keeps packages in /root/.npm, nvm keeps Node in /root/.nvm.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { command } from './command.js'

const PACKAGE = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Mounts both once more, where everybody may go.
 * @param place a directory of our own mount namespace, which everybody may enter
 * @returns the command with the new paths in it; it is as before where it names nothing of ours
 */
export async function withinReach(
  argv: readonly [string, ...string[]],
  place: string,
): Promise<[string, ...string[]]> {
  const node = path.join(place, 'node')
  const ours = path.join(place, 'package')
  if (argv.includes(process.execPath)) {
    await writeFile(node, '')
    await bind(process.execPath, node)
  }
  if (argv.some((word) => word.startsWith(PACKAGE))) {
    await mkdir(ours)
    await bind(PACKAGE, ours)
  }
  const moved = (word: string) => {
    if (word === process.execPath) return node
    return word.startsWith(PACKAGE) ? path.join(ours, word.slice(PACKAGE.length)) : word
  }
  const [program, ...args] = argv
  return [moved(program), ...args.map(moved)]
}

async function bind(from: string, to: string): Promise<void> {
  await command('mount', '-n', '--bind', from, to)
}
