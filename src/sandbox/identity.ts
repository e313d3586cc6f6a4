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
  /** The command that runs `argv` as this identity. */
  wrap(argv: readonly string[]): readonly string[]
}

const NOBODY = 65534
/** What the target believes to be in a user namespace: some databases refuse to run as uid 0. */
const MAPPED = '1000'
const NO_CAPABILITIES = ['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs']

function otherUser(uid: number, gid: number): Identity {
  return {
    uid,
    gid,
    description: `uid ${uid}, no capabilities`,
    wrap: (argv) => [
      'setpriv',
      `--reuid=${uid}`,
      `--regid=${gid}`,
      '--clear-groups',
      ...NO_CAPABILITIES,
      ...argv,
    ],
  }
}

const bareRoot: Identity = {
  uid: 0,
  gid: 0,
  description: 'uid 0, no capabilities (the other user may not run this target)',
  wrap: (argv) => ['setpriv', ...NO_CAPABILITIES, ...argv],
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
  wrap: (argv) => argv,
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
  return (await canRead(other, reads)) ? other : bareRoot
}

/** Whether the identity can read every one of the files. */
export async function canRead(identity: Identity, files: readonly string[]): Promise<boolean> {
  for (const file of files) {
    const [program, ...args] = identity.wrap(['test', '-r', file])
    try {
      await command(program!, ...args)
    } catch (error) {
      if (error instanceof CommandError && error.status === 1) return false
      throw error
    }
  }
  return true
}
