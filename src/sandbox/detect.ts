/** Which isolation this host gives us, by trying. */
import { execa } from 'execa'
import { HostError } from '../errors.js'
import { borrowable } from './borrowed.js'
import { COMMAND_PATH } from './command.js'
import { type Isolation, isolationPrefix } from './isolation.js'
import { onPath } from './program.js'

/** @throws HostError where neither namespaces nor a small tmpfs are to be had */
export async function detectIsolation(): Promise<Isolation> {
  if (process.platform !== 'linux') {
    throw new HostError(`faults are injected on Linux only, and this is ${process.platform}`, {
      hint: 'list, show, validate and report work here; run needs a Linux machine, a container or a VM',
    })
  }
  for (const program of ['setpriv', 'unshare', 'mount']) {
    if (onPath(program) === undefined) {
      throw new HostError(`the program '${program}' is not on PATH`, {
        hint: 'apt-get install util-linux mount (Alpine: apk add util-linux)',
      })
    }
  }
  const first = process.geteuid?.() === 0 ? (['root', 'user'] as const) : (['user'] as const)
  for (const isolation of first) if (await works(isolation)) return isolation
  if ((await borrowable()) !== undefined) return 'none'
  throw new HostError('this host allows neither namespaces nor has a small tmpfs to borrow', {
    hint: 'run as root, or allow user namespaces (sysctl -w user.max_user_namespaces=10000), or give /dev/shm a size: docker run --shm-size=64m',
  })
}

async function works(isolation: Isolation): Promise<boolean> {
  const [program, ...args] = isolationPrefix(isolation)
  const { exitCode } = await execa(
    program!,
    [...args, 'mount', '-n', '-t', 'tmpfs', 'lightning-chaos', '/dev'],
    {
      reject: false,
      env: { PATH: COMMAND_PATH },
    },
  )
  return exitCode === 0
}
