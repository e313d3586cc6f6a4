/** A container as most hosts give it: a small tmpfs at /dev/shm, and no namespaces for what runs in it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { NOBODY } from './cli.js'

const isRoot = process.geteuid?.() === 0
const MOUNT = 'mount -t tmpfs -o size=64m,mode=1777 tmpfs /dev/shm && echo ready && exec sleep 1000'

export interface Container {
  /** What stands in front of a command that is to run in it, as a user without capabilities. */
  readonly prefix: readonly string[]
  /** The same as root of the container. */
  readonly rootPrefix: readonly string[]
  /** What is in its /dev/shm. */
  memory(): string[]
  close(): void
}

export async function startContainer(): Promise<Container> {
  const namespaces = isRoot ? ['--mount'] : ['--user', '--map-root-user', '--mount']
  const holder = spawn('unshare', [...namespaces, 'sh', '-c', MOUNT], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  const enter = ['nsenter', `--target=${holder.pid}`, '--mount']
  const rootPrefix = isRoot ? enter : [...enter, '--user', '--preserve-credentials']
  const drop = isRoot ? NOBODY : ['setpriv', '--bounding-set=-all', '--inh-caps=-all']
  return {
    prefix: [...rootPrefix, ...drop],
    rootPrefix,
    memory: () => readdirSync(`/proc/${holder.pid}/root/dev/shm`),
    close: () => void holder.kill('SIGKILL'),
  }
}
