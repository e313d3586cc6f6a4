/**
 * How a trial is kept apart from the host, the best first.
 * `root`: namespaces made by root. `user`: namespaces made by an ordinary user, inside a user namespace.
 * `none`: no namespaces to be had (most containers); the volume is borrowed from a small tmpfs that is there.
 */
export const ISOLATIONS = ['root', 'user', 'none'] as const
export type Isolation = (typeof ISOLATIONS)[number]

const NAMESPACES = ['--mount', '--pid', '--net', '--fork', '--kill-child']

/**
 * The command in front of the sandboxed process. Every link of the chain dies with the one above it:
 * `--pdeathsig` ties unshare to us, `--kill-child` ties the first process of the pid namespace to unshare, and
 * with that process the kernel ends all others, then the mounts, then the loop devices (prctl(2), pid_namespaces(7)).
 */
export function isolationPrefix(isolation: Isolation): readonly [string, ...string[]] {
  const tied = ['setpriv', '--pdeathsig', 'KILL'] as const
  switch (isolation) {
    case 'root':
      return [...tied, 'unshare', ...NAMESPACES]
    case 'user':
      return [...tied, 'unshare', '--user', '--map-root-user', ...NAMESPACES]
    case 'none':
      return tied
  }
}
