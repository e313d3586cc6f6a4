/**
 * Faults that take the permission to write away. A descriptor that is already open keeps writing after a chmod
 * (POSIX), so a scenario has to make the target open, create or rename; `chattr +i` bites at once: chattr(1).
 *
 * Nothing here follows a symlink: modes are changed through descriptors opened with O_NOFOLLOW.
 */
import { constants } from 'node:fs'
import { chmod as chmodFile, lchown, lstat, open, readdir } from 'node:fs/promises'
import path from 'node:path'
import { type ProbeResult, probeCreate, probeOpen } from '../evidence/probe.js'
import { command } from '../sandbox/command.js'
import type { FaultKind, FaultWorld, Parameters } from './fault.js'

type Scope = 'files' | 'directory' | 'all'

const SCOPE = {
  type: 'choice',
  choices: ['files', 'directory', 'all'],
  default: 'all',
  about: "What it applies to: the target's files, the directory itself, or both",
} as const

interface Entry {
  readonly path: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export const chmod: FaultKind = {
  kind: 'chmod',
  title: 'chmod -R takes the permission to write away',
  family: 'read-only',
  errnos: ['EACCES'],
  refusals: ['permission', 'read-only'],
  needs: [],
  parameters: {
    scope: SCOPE,
    mode: {
      type: 'choice',
      choices: ['a-w', '000'],
      default: 'a-w',
      about: 'a-w: nobody may write. 000: nobody may do anything',
    },
  },
  async inject(world, parameters) {
    const saved = await entries(world.volume.data, parameters.scope as Scope)
    const none = parameters.mode === '000'
    // the directory last, and first when it is healed: with mode 000 its own user cannot reach anything in it
    for (const entry of saved.toReversed()) await changeMode(entry.path, none ? 0 : entry.mode & ~0o222)
    return {
      detail: `chmod ${parameters.mode} of ${saved.length} entries (${parameters.scope})`,
      stopsReads: none,
      blocks: blocksOf(parameters),
      probe: () => probeEntries(world, saved),
      async heal() {
        for (const entry of saved) await changeMode(entry.path, entry.mode)
        await giveWriteBack(world.volume.data, saved)
        return `the modes of ${saved.length} entries put back`
      },
    }
  },
}

export const chown: FaultKind = {
  kind: 'chown',
  title: 'A deployment as the wrong user: the owner is root and only the owner may write',
  family: 'read-only',
  errnos: ['EACCES'],
  refusals: ['permission', 'read-only'],
  needs: ['root', 'other-user'],
  parameters: { scope: SCOPE },
  async inject(world, parameters) {
    const saved = await entries(world.volume.data, parameters.scope as Scope)
    for (const entry of saved) {
      await lchown(entry.path, 0, 0)
      await changeMode(entry.path, (entry.mode | 0o444) & ~0o022)
    }
    return {
      detail: `${saved.length} entries (${parameters.scope}) belong to root`,
      blocks: blocksOf(parameters),
      probe: () => probeEntries(world, saved),
      async heal() {
        for (const entry of saved) {
          await lchown(entry.path, entry.uid, entry.gid)
          await changeMode(entry.path, entry.mode)
        }
        return `the owners of ${saved.length} entries put back`
      },
    }
  },
}

export const immutable: FaultKind = {
  kind: 'immutable',
  title: 'chattr +i: not even a descriptor that is already open may write',
  family: 'read-only',
  errnos: ['EPERM'],
  refusals: ['permission', 'read-only'],
  needs: ['immutable'],
  parameters: { scope: { ...SCOPE, default: 'files' } },
  async inject(world, parameters) {
    const paths = (await entries(world.volume.data, parameters.scope as Scope)).map((entry) => entry.path)
    await command('chattr', '+i', ...paths)
    return {
      detail: `chattr +i of ${paths.length} entries (${parameters.scope})`,
      blocks: blocksOf(parameters),
      probe: () => probePaths(world, paths),
      async heal() {
        await command('chattr', '-i', ...paths)
        return `chattr -i of ${paths.length} entries`
      },
    }
  },
}

function blocksOf({ scope }: Parameters): 'files' | 'directory' | undefined {
  return scope === 'files' || scope === 'directory' ? scope : undefined
}

/** The directory itself (first) and the regular files in it, as far as the scope goes. */
async function entries(directory: string, scope: Scope): Promise<Entry[]> {
  const names = scope === 'directory' ? [] : await readdir(directory, { recursive: true })
  const paths = [
    ...(scope === 'files' ? [] : [directory]),
    ...names.map((name) => path.join(directory, name)),
  ]
  const found: Entry[] = []
  for (const each of paths) {
    const stat = await lstat(each)
    if (stat.isFile() || (stat.isDirectory() && scope !== 'files')) {
      found.push({ path: each, mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid })
    }
  }
  return found
}

/** open(2): asks for no permission on the file. Node has no name for it. */
const O_PATH = 0o10000000

async function changeMode(file: string, mode: number): Promise<void> {
  const handle = await open(file, O_PATH | constants.O_NOFOLLOW)
  try {
    await chmodFile(`/proc/self/fd/${handle.fd}`, mode)
  } finally {
    await handle.close()
  }
}

/** What was made while the fault was on may have inherited it: SQLite gives its new files the mode of the database. */
async function giveWriteBack(directory: string, saved: readonly Entry[]): Promise<void> {
  const known = new Set(saved.map((entry) => entry.path))
  for (const entry of await entries(directory, 'files')) {
    if (!known.has(entry.path)) await changeMode(entry.path, entry.mode | 0o200)
  }
}

function probeEntries(world: FaultWorld, saved: readonly Entry[]): Promise<ProbeResult | undefined> {
  return probePaths(
    world,
    saved.map((entry) => entry.path),
  )
}

async function probePaths(world: FaultWorld, paths: readonly string[]): Promise<ProbeResult | undefined> {
  for (const each of paths) {
    const probe = each === world.volume.data ? probeCreate : probeOpen
    const result = await probe(world.asTarget, each)
    if (result !== undefined) return result
  }
  return undefined
}
