/**
 * A process of its own, in a session of its own, that removes what the kernel does not: trace instances, and where
 * there are no namespaces borrowed directories and processes. It waits for the end of its stdin, which comes however
 * the tool ends, `kill -9` included. At its start it removes what was left by runs whose tool and janitor were both
 * killed.
 *
 * Arguments: the owner's name, then the directories in which borrowed directories are made.
 */
import { lstat, readdir, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { INSTANCE_PREFIX, INSTANCES, mountTracefs } from '../evidence/kernel-trace.js'
import { giveBack } from './borrowed.js'
import { isAlive } from './owner.js'
import { killProcessesOf } from './strays.js'

const [owner = '', ...lenders] = process.argv.slice(2)

/** How long a sandbox that is being killed may hold on to its instance. */
const PATIENCE_MS = 5000
const PAUSE_MS = 20

function ownerOf(name: string): string {
  return name.slice(INSTANCE_PREFIX.length).split('-')[0] ?? ''
}

async function sweep(isOver: (owner: string) => boolean): Promise<void> {
  const isOurs = (name: string) => name.startsWith(INSTANCE_PREFIX) && isOver(ownerOf(name))
  if (lenders.length > 0) await killProcessesOf(isOver)
  for (const lender of lenders) {
    for (const name of (await list(lender)).filter(isOurs)) await giveBackOurs(path.join(lender, name))
  }
  const instances = (await list(INSTANCES)).filter(isOurs)
  await Promise.all(instances.map((name) => removeInstance(path.join(INSTANCES, name))))
}

/** What another user's run left can be removed by that user only. */
async function giveBackOurs(directory: string): Promise<void> {
  const us = process.geteuid?.()
  if (us === 0 || (await lstat(directory)).uid === us) await giveBack(directory)
}

async function removeInstance(directory: string): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; ; ) {
    try {
      return await rmdir(directory)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return
      if (code !== 'EBUSY' || Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
}

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EACCES') return []
    throw error
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
await mountTracefs()
await sweep((name) => !isAlive(name))
process.stdout.write('ready\n')
process.stdin.resume()
process.stdin.on('end', () => sweep((name) => name === owner || !isAlive(name)))
