/**
 * Faults that take the permission to write away. A descriptor that is already open keeps writing after a chmod
 * (POSIX), so a scenario has to make the target open, create or rename; `chattr +i` bites at once: chattr(1).
 *
 * Nothing here follows a symlink: see tree.ts.
 */
import path from 'node:path'
import { type ProbeResult, probeCreate, probeOpen } from '../evidence/probe.js'
import { command } from '../sandbox/command.js'
import type { FaultKind, FaultWorld, Parameters } from './fault.js'
import { change, type Entry, walk } from './tree.js'

type Scope = 'files' | 'directory' | 'all'

const SCOPE = {
  type: 'choice',
  choices: ['files', 'directory', 'all'],
  default: 'all',
  about: "What it applies to: the target's files, the directory itself, or both",
} as const

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
    const { data } = world.volume
    const saved = await entries(data, parameters.scope as Scope)
    const none = parameters.mode === '000'
    // the directory last, and first when it is healed: with mode 000 its own user cannot reach anything in it
    for (const entry of saved.toReversed())
      await change(data, entry, { mode: none ? 0 : entry.mode & ~0o222 })
    return {
      detail: `chmod ${parameters.mode} of ${saved.length} entries (${parameters.scope})`,
      stopsReads: none,
      blocks: blocksOf(parameters),
      probe: () => probeEntries(world, saved),
      async heal() {
        for (const entry of saved) await change(data, entry, entry)
        await giveWriteBack(data, saved)
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
    const { data } = world.volume
    const saved = await entries(data, parameters.scope as Scope)
    for (const entry of saved) {
      await change(data, entry, { mode: (entry.mode | 0o444) & ~0o022, owner: { uid: 0, gid: 0 } })
    }
    return {
      detail: `${saved.length} entries (${parameters.scope}) belong to root`,
      blocks: blocksOf(parameters),
      probe: () => probeEntries(world, saved),
      async heal() {
        for (const entry of saved) await change(data, entry, { mode: entry.mode, owner: entry })
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
    const { data } = world.volume
    const saved = await entries(data, parameters.scope as Scope)
    const paths = saved.map(({ name }) => path.join(data, name))
    await command('chattr', '+i', ...paths)
    return {
      detail: `chattr +i of ${paths.length} entries (${parameters.scope})`,
      blocks: blocksOf(parameters),
      probe: () => probeEntries(world, saved),
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

/** The directory itself (first) and the regular files below it, as far as the scope goes. */
async function entries(directory: string, scope: Scope): Promise<Entry[]> {
  const all = await walk(directory)
  if (scope === 'directory') return all.slice(0, 1)
  return scope === 'files' ? all.filter(({ isDirectory }) => !isDirectory) : all
}

/** What was made while the fault was on may have inherited it: SQLite gives its new files the mode of the database. */
async function giveWriteBack(directory: string, saved: readonly Entry[]): Promise<void> {
  const known = new Set(saved.map(({ name }) => name))
  for (const entry of await entries(directory, 'files')) {
    if (!known.has(entry.name)) await change(directory, entry, { mode: entry.mode | 0o200 })
  }
}

async function probeEntries(world: FaultWorld, saved: readonly Entry[]): Promise<ProbeResult | undefined> {
  const { data } = world.volume
  for (const { name, isDirectory } of saved) {
    const probe = isDirectory ? probeCreate : probeOpen
    const result = await probe(world.asTarget, path.join(data, name))
    if (result !== undefined) return result
  }
  return undefined
}
