/** Tries, inside a sandbox, what the host can do. Nothing is guessed from a version or a file that is there. */
import { constants } from 'node:fs'
import { access, mkdtemp, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { HostError } from '../errors.js'
import { mountTracefs } from '../evidence/kernel-trace.js'
import { mountVolume } from '../volume/index.js'
import type { MountedVolume, VolumeKindName } from '../volume/volume.js'
import { CommandError, command } from './command.js'
import { identityFor } from './identity.js'
import { type Capability, NEEDS, type Need, PACKAGES } from './need.js'
import type { World } from './world.js'

/** Tries one need after the other, on volumes that are gone again afterwards. */
export async function checkCapabilities(
  world: World,
  needs: readonly Need[],
): Promise<readonly Capability[]> {
  const checked = new Map<Need, Capability>()
  const check = async (need: Need): Promise<Capability> => {
    const known = checked.get(need) ?? (await checkInOrder(need))
    checked.set(need, known)
    return known
  }
  const checkInOrder = async (need: Need): Promise<Capability> => {
    const after: readonly Need[] = NEEDS[need].after
    for (const first of after) {
      const capability = await check(first)
      if (!capability.ok) return { ...capability, need }
    }
    return await tryNeed(world, need)
  }
  for (const need of needs) await check(need)
  return needs.map((need) => checked.get(need)!)
}

async function tryNeed(world: World, need: Need): Promise<Capability> {
  try {
    await CHECKS[need](world)
    return { need, ok: true }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const missing = error instanceof CommandError ? PACKAGES[error.missing ?? ''] : undefined
    const fix = missing === undefined ? NEEDS[need].fix : `apt-get install ${missing}`
    return { need, ok: false, why: error.message, fix }
  }
}

const CHECKS: Readonly<Record<Need, (world: World) => Promise<void>>> = {
  tmpfs: (world) => withVolume(world, 'tmpfs', async () => undefined),
  async mount({ isolation }) {
    if (isolation === 'none') throw new HostError('there are no namespaces to mount anything in')
  },
  async root({ isolation }) {
    if (isolation !== 'root')
      throw new HostError(`trials are isolated by '${isolation}', which has no real root`)
  },
  async loop() {
    await access('/dev/loop-control', constants.R_OK | constants.W_OK)
  },
  'mkfs.ext4': (world) => withVolume(world, 'ext4', async () => undefined),
  'mkfs.xfs': (world) => withVolume(world, 'xfs', async () => undefined),
  'mkfs.btrfs': (world) =>
    withVolume(world, 'btrfs', async ({ root }) => void (await command('btrfs', 'quota', 'enable', root))),
  fuse: (world) => withVolume(world, 'glass', ({ data }) => writeFile(path.join(data, 'file'), 'written')),
  immutable: (world) =>
    withVolume(world, 'ext4', async ({ data }) => {
      const file = path.join(data, 'immutable')
      await writeFile(file, '')
      await command('chattr', '+i', file)
      await command('chattr', '-i', file)
    }),
  async 'other-user'({ isolation }) {
    const { uid, description } = await identityFor(isolation, [])
    if (uid === 0) throw new HostError(`targets run as ${description} here`)
  },
  'fs-error': (world) =>
    withVolume(world, 'ext4', async (volume) => {
      const device = (await volume.device?.()) ?? ''
      await access(path.join('/sys/fs/ext4', path.basename(device), 'trigger_fs_error'), constants.W_OK)
    }),
  prlimit: ({ isolation }) =>
    runAsTarget(isolation, ['prlimit', '--fsize=4096:', 'env', '--ignore-signal=XFSZ', 'true']),
  async 'kernel-trace'({ hostProc }) {
    if (hostProc === undefined || !(await mountTracefs())) {
      throw new HostError('tracefs cannot be mounted, or has no raw_syscalls/sys_exit')
    }
  },
}

async function runAsTarget(isolation: World['isolation'], argv: readonly string[]): Promise<void> {
  const [file, ...args] = (await identityFor(isolation, [])).wrap(argv)
  await command(file!, ...args)
}

async function withVolume(
  world: World,
  kind: VolumeKindName,
  use: (volume: MountedVolume) => Promise<void>,
): Promise<void> {
  const place = await mkdtemp(path.join(world.place, `${kind}-`))
  const owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
  const volume = await mountVolume(world.isolation, { kind }, place, owner)
  try {
    await use(volume)
  } finally {
    await volume.unmount()
  }
}
