/**
 * Our own file system, served by a process of its own: src/glass. That process has no capabilities, and dies with the
 * sandbox; when it does, the kernel fails whatever is under way on the mount.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { InternalError } from '../errors.js'
import { GlassClient } from '../glass/client.js'
import type { ServerOptions } from '../glass/commands.js'
import { CommandError, command, commandWithDescriptor, onCpu } from '../sandbox/command.js'
import { plainVolume } from './data.js'
import type { MountedVolume, VolumeKind, VolumeSpec } from './volume.js'

const SERVER = fileURLToPath(new URL('../glass/server.js', import.meta.url))
const BARE = ['setpriv', '--pdeathsig', 'KILL', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs']
const DEFAULT_INODES = 16_384
/** How long a server has to end once its mount is gone, in milliseconds. */
const ENDING_MS = 2000

export const glass: VolumeKind = {
  kind: 'glass',
  title: 'glass, our own file system, in which every operation is seen and can be failed',
  needs: ['mount', 'fuse'],
  minimumSize: 256 * 1024,
  defaultSize: 64 * 1024 * 1024,
  mount: (spec, place, owner) => mountGlass(spec, place, owner),
}

/**
 * @param isDisk whether a file system will lie on it. Its server must not be in the mount namespace of that then: as the last
 *   process there it would have to unmount it, and so wait for itself, before the kernel gives up on a server that ends.
 */
export async function mountGlass(
  spec: VolumeSpec,
  place: string,
  owner: { uid: number; gid: number },
  isDisk = false,
): Promise<MountedVolume> {
  const root = path.join(place, 'volume')
  const under = path.join(place, 'under')
  await mkdir(root)
  await mkdir(under, { mode: 0o700 })
  // its name is the key to it: in a user namespace the target is nobody else than we are
  const control = `.glass-${randomBytes(12).toString('hex')}`
  const trace = path.join(under, 'trace')
  const cpu = currentCpu()
  const server = await serve(root, { cpu, isDisk }, serverOptions(spec, { root, under, control, trace }))
  const plain = await plainVolume('glass', root, owner).catch((error: unknown) => {
    throw server.failure() ?? error
  })
  for (const directory of [root, plain.data, plain.probes]) await syncDirectory(directory)
  const client = new GlassClient(path.join(root, control))
  return {
    ...plain,
    glass: { client, trace },
    serverPid: server.pid,
    cpu,
    failure: () => server.failure(),
    unmount: () => unmount(root, server),
  } satisfies MountedVolume
}

/** What the tool makes is on the disk before the first power cut. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function serverOptions(
  spec: VolumeSpec,
  { root, under, control, trace }: { root: string; under: string; control: string; trace: string },
): ServerOptions {
  return {
    mountPoint: root,
    backing: path.join(under, 'blocks'),
    size: spec.size,
    inodes: spec.inodes ?? DEFAULT_INODES,
    owner: { uid: 0, gid: 0 },
    control,
    trace: { file: trace, bytes: spec.trace === 'bytes' },
  }
}

/** Mounts, and starts what serves the mount. */
async function serve(root: string, where: Where, options: ServerOptions): Promise<Server> {
  const device = await open('/dev/fuse', 'r+')
  try {
    // fd: mount.fuse's own options; default_permissions: the kernel checks modes; allow_other: for the target too
    const mountOptions = `fd=3,rootmode=40711,user_id=0,group_id=0,default_permissions,allow_other,nosuid,nodev`
    const argv = [
      'mount',
      '-i',
      '-n',
      '-t',
      'fuse.glass',
      '-o',
      mountOptions,
      'lightning-chaos',
      root,
    ] as const
    await commandWithDescriptor(device.fd, ...argv)
    return new Server(device.fd, where, options)
  } finally {
    // nobody but the server may hold it: the mount ends with the last who does
    await device.close()
  }
}

/** The processor that we run on: proc_pid_stat(5), field 39. */
function currentCpu(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[36])
}

/** Where a server runs. */
interface Where {
  readonly cpu: number
  readonly isDisk: boolean
}

class Server {
  readonly #child: ChildProcess
  readonly #isDisk: boolean
  #stderr = ''
  #ended: string | undefined
  #expected = false

  constructor(fd: number, { cpu, isDisk }: Where, options: ServerOptions) {
    this.#isDisk = isDisk
    const apart = isDisk ? ['unshare', '--mount'] : []
    const node = [process.execPath, SERVER, JSON.stringify(options)]
    const [program, ...args] = [...onCpu(cpu), ...apart, ...BARE, ...node]
    this.#child = spawn(program!, args, { stdio: ['ignore', 'ignore', 'pipe', fd] })
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-4096)
    })
    this.#child.on('error', (error) => {
      this.#ended = error.message
    })
    this.#child.on('exit', (code, signal) => {
      this.#ended = `it ended with ${signal ?? `exit code ${code}`}`
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Why it no longer serves, where nobody asked it to end. */
  failure(): InternalError | undefined {
    if (this.#ended === undefined || this.#expected) return undefined
    return new InternalError(`the server of the glass volume failed: ${this.#stderr.trim() || this.#ended}`)
  }

  /** Lets it end, and sees to it that it does. */
  async end(): Promise<void> {
    this.#expected = true
    if (this.#ended !== undefined) return
    const ended = once(this.#child, 'exit')
    // in a namespace of its own it has the mount still, and nobody tells it that the others have not
    if (this.#isDisk) this.#child.kill('SIGKILL')
    await Promise.race([ended, sleep(ENDING_MS, undefined, { ref: false })])
    if (this.#ended === undefined) this.#child.kill('SIGKILL')
    await ended
  }
}

/** A mount that is busy, because its server has failed, say, is taken out of sight at least; the kernel does the rest. */
async function unmount(root: string, server: Server): Promise<void> {
  try {
    await command('umount', '-n', root)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    await command('umount', '-n', '--lazy', root)
  }
  await server.end()
}
