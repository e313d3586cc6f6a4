/**
 * Whom the target runs as. Root, and root of a user namespace, may write whatever the mode says
 * (CAP_DAC_OVERRIDE), so `chmod -w` bites only a process without capabilities: capabilities(7).
 */

import { CommandError, command } from './command.js'
import type { Isolation } from './isolation.js'

export interface Identity {
  /** Owner of the data directory, as the sandboxed process numbers users. */
  readonly uid: number
  readonly gid: number
  /** In words, for the report. */
  readonly description: string
  /** Set where a stricter one could not run this target. */
  readonly fallback?: true
  /** The command that runs `argv` as this identity. */
  wrap(argv: readonly string[]): readonly string[]
}

const NOBODY = 65534
/** What the target believes to be in a user namespace: some databases refuse to run as uid 0. */
const MAPPED = '1000'
/** Without a pid namespace, this is what ends the target when the process above it is killed: prctl(2). */
const TIED = ['setpriv', '--pdeathsig', 'KILL']
const NO_CAPABILITIES = ['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs']

function otherUser(uid: number, gid: number): Identity {
  return {
    uid,
    gid,
    description: `uid ${uid}, no capabilities`,
    wrap: (argv) => [
      ...[...TIED, `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'],
      ...[...NO_CAPABILITIES, ...argv],
    ],
  }
}

const bareRoot: Identity = {
  uid: 0,
  gid: 0,
  description: 'uid 0, no capabilities (another user cannot run this target)',
  fallback: true,
  wrap: (argv) => [...TIED, ...NO_CAPABILITIES, ...argv],
}

const mappedUser: Identity = {
  uid: 0,
  gid: 0,
  description: 'the calling user, no capabilities',
  // Not to be root of a namespace is to have no capabilities once a program is executed. They cannot be dropped
  // first: to map the outer root one has to have CAP_SETFCAP (user_namespaces(7)).
  wrap: (argv) => [
    ...['unshare', '--user', `--map-user=${MAPPED}`, `--map-group=${MAPPED}`],
    ...['setpriv', '--no-new-privs', ...argv],
  ],
}

const self: Identity = {
  uid: process.geteuid?.() ?? 0,
  gid: process.getegid?.() ?? 0,
  description: 'the calling user',
  wrap: (argv) => [...TIED, ...argv],
}

/**
 * The identity for a target, the strictest that can run it. Under sudo that is the user who called sudo, else nobody.
 * @param reads files that the target has to be able to read, its program first
 */
export async function identityFor(isolation: Isolation, reads: readonly string[]): Promise<Identity> {
  if (isolation === 'user') return mappedUser
  if (process.geteuid?.() !== 0) return self
  const sudo = Number(process.env.SUDO_UID ?? 0)
  const other = otherUser(sudo > 0 ? sudo : NOBODY, sudo > 0 ? Number(process.env.SUDO_GID ?? sudo) : NOBODY)
  for (const identity of [other, bareRoot]) if (await canRead(identity, reads)) return identity
  // a root that cannot become anybody else, and has no capability to drop, as in some containers
  return { ...self, fallback: true }
}

/** Whether there can be such a process here, and it can open every one of the files. */
async function canRead(identity: Identity, files: readonly string[]): Promise<boolean> {
  const [program, ...args] = identity.wrap(['head', '--bytes=0', '--', ...files])
  try {
    await command(program!, ...args)
    return true
  } catch (error) {
    if (error instanceof CommandError) return false
    throw error
  }
}
