/** Which isolation this host gives us, by trying. */
import { HostError } from '../errors.js'
import { borrowable } from './borrowed.js'
import { CommandError, command } from './command.js'
import { ISOLATIONS, type Isolation, isolationPrefix } from './isolation.js'
import { onPath } from './program.js'

const INSTALL = 'apt-get install util-linux mount (Alpine: apk add util-linux coreutils)'

/** What gives each isolation. */
const GIVEN_BY: Readonly<Record<Isolation, string>> = {
  root: 'run as root (in a container: docker run --privileged)',
  user: 'allow user namespaces (sysctl -w user.max_user_namespaces=10000)',
  none: 'give /dev/shm a size of at most 512 MiB (docker run --shm-size=64m)',
}

/**
 * @param wanted the only isolation that will do; where it is absent, the best that works
 * @throws HostError where it, or any, is not to be had, with what would give it
 */
export async function detectIsolation(wanted?: Isolation): Promise<Isolation> {
  if (process.platform !== 'linux') {
    throw new HostError(`faults are injected on Linux only, and this is ${process.platform}`, {
      hint: 'list, show and validate work here; run needs a Linux machine, a container or a VM',
    })
  }
  for (const program of ['setpriv', 'unshare', 'mount']) {
    if (onPath(program) === undefined) {
      throw new HostError(`the program '${program}' is not on PATH`, { hint: INSTALL })
    }
  }
  if (!(await succeeds(...isolationPrefix('none'), 'true'))) {
    throw new HostError("the program 'setpriv' cannot tie a process to ours: is it BusyBox's?", {
      hint: INSTALL,
    })
  }
  const candidates = wanted === undefined ? ISOLATIONS : [wanted]
  for (const isolation of candidates) if (await works(isolation)) return isolation
  throw new HostError(
    wanted === undefined
      ? 'this host allows no namespaces, and has no small tmpfs to borrow'
      : `this host does not give the isolation '${wanted}'`,
    { hint: candidates.map((isolation) => GIVEN_BY[isolation]).join(', or ') },
  )
}

async function works(isolation: Isolation): Promise<boolean> {
  if (isolation === 'none') return (await borrowable()) !== undefined
  if (isolation === 'root' && process.geteuid?.() !== 0) return false
  const mount = ['mount', '-n', '-t', 'tmpfs', 'lightning-chaos', '/dev']
  return await succeeds(...isolationPrefix(isolation), ...mount)
}

async function succeeds(...argv: readonly [string, ...string[]]): Promise<boolean> {
  try {
    await command(...argv)
    return true
  } catch (error) {
    if (error instanceof CommandError) return false
    throw error
  }
}
