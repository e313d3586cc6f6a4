/**
 * Real file systems on an image file, mounted through a loop device. The image lies on the sandbox's private
 * tmpfs; `mount -o loop` sets autoclear, so the device goes with the mount: loop(4).
 */
import { chmod, mkdir, open } from 'node:fs/promises'
import path from 'node:path'
import { command } from '../sandbox/command.js'
import type { Need } from '../sandbox/need.js'
import { ownedDirectory, spaceOf } from './data.js'
import { mountGlass } from './glass.js'
import type { MountedVolume, VolumeKind, VolumeSpec } from './volume.js'

/** Room on a disk of glass for the image's directory, in bytes. */
const AROUND_IMAGE = 1024 * 1024

interface LoopFileSystem {
  readonly kind: 'ext4' | 'xfs' | 'btrfs'
  readonly title: string
  readonly need: Need
  readonly minimumSize: number
  readonly defaultSize: number
  readonly mountOptions: string
  /** The command that makes the file system on the image. */
  mkfs(spec: VolumeSpec, image: string): readonly [string, ...string[]]
  /** Makes the target's directory on it. */
  makeData(root: string, owner: { uid: number; gid: number }): Promise<string>
}

function loopVolume(fileSystem: LoopFileSystem): VolumeKind {
  return {
    kind: fileSystem.kind,
    title: fileSystem.title,
    needs: ['root', 'loop', fileSystem.need],
    minimumSize: fileSystem.minimumSize,
    defaultSize: fileSystem.defaultSize,
    mount: (spec, place, owner) => mountImage(fileSystem, spec, place, owner),
  }
}

async function mountImage(
  fileSystem: LoopFileSystem,
  spec: VolumeSpec,
  place: string,
  owner: { uid: number; gid: number },
): Promise<MountedVolume> {
  const root = path.join(place, 'volume')
  await mkdir(root)
  const disk = await makeDisk(spec, place)
  const image = path.join(disk.under, 'image')
  await makeSparse(image, spec.size)
  await command(...fileSystem.mkfs(spec, image))
  const mount = async () => {
    await mountLoop(fileSystem.kind, fileSystem.mountOptions, image, root)
    if (disk.isDirect) await command('losetup', '--direct-io=on', await deviceOf(root))
  }
  await mount()
  const data = await fileSystem.makeData(root, owner)
  const probes = await ownedDirectory(root, 'probes', owner)
  if (disk.glass !== undefined) await syncDisk(root, disk.under, image)
  return {
    ...disk.glass,
    kind: fileSystem.kind,
    root,
    data,
    probes,
    device: () => deviceOf(root),
    under: disk.under,
    space: () => spaceOf(root),
    async remount(between) {
      await command('umount', '-n', root)
      await between?.()
      await mount()
    },
    async unmount() {
      await command('umount', '-n', root)
      await disk.unmount()
    },
  }
}

/** What the image lies on. */
interface Disk {
  /** The directory that holds the image. */
  readonly under: string
  /** Whether the loop device goes past the page cache, so that the disk sees each write as it is made. */
  readonly isDirect: boolean
  readonly glass?: MountedVolume
  unmount(): Promise<void>
}

async function makeDisk({ size, thin, disk, trace }: VolumeSpec, place: string): Promise<Disk> {
  const under = path.join(place, 'under')
  await mkdir(under, { mode: 0o700 })
  if (disk === 'glass') {
    const spec = { kind: 'glass', size: size + AROUND_IMAGE, trace } as const
    const mounted = await mountGlass(spec, under, { uid: 0, gid: 0 }, true)
    return { under: mounted.data, isDirect: true, glass: mounted, unmount: () => mounted.unmount() }
  }
  if (thin === undefined) return { under, isDirect: false, unmount: async () => undefined }
  await mountThin(thin, path.join(place, 'disk'), under)
  return { under, isDirect: true, unmount: async () => void (await command('umount', '-n', under)) }
}

/** What is there when a trial begins is on the disk before the first power cut. */
async function syncDisk(...paths: readonly string[]): Promise<void> {
  await command('sync', '--file-system', paths[0]!)
  for (const each of paths.slice(1)) await command('sync', each)
}

/**
 * Mounts the disk that is smaller than it says: the image of the volume lies on it, and has holes. It has to be a file
 * system with direct I/O. The loop driver takes a write of which only the first part fitted for a success (lo_complete_rq in
 * drivers/block/loop.c looks for short reads alone), and a buffered write that runs out of room half-way is such a one: a
 * later fsync would say ok, and no database could know that its data is gone. A direct write fails as a whole.
 */
async function mountThin(size: number, image: string, under: string): Promise<void> {
  await makeSparse(image, size)
  await command(...mkfsExt4('-b', '4096', '-O', '^has_journal', '-N', '16', image))
  await mountLoop('ext4', 'noatime', image, under)
  await chmod(under, 0o700)
}

async function mountLoop(kind: string, options: string, image: string, at: string): Promise<void> {
  await command('mount', '-n', '-t', kind, '-o', `loop,nosuid,nodev,${options}`, image, at)
}

// -m 0: no blocks that only root may use; lazy_itable_init=0: no kernel thread that writes after the mount
function mkfsExt4(...args: readonly string[]): readonly [string, ...string[]] {
  return ['mkfs.ext4', '-q', '-F', '-m', '0', '-E', 'lazy_itable_init=0,lazy_journal_init=0', ...args]
}

async function makeSparse(image: string, size: number): Promise<void> {
  const file = await open(image, 'wx', 0o600)
  try {
    await file.truncate(size)
  } finally {
    await file.close()
  }
}

async function deviceOf(root: string): Promise<string> {
  return (await command('findmnt', '-n', '-o', 'SOURCE', root)).trim()
}

export const ext4 = loopVolume({
  kind: 'ext4',
  title: 'ext4 on a loop device',
  need: 'mkfs.ext4',
  minimumSize: 4 * 1024 * 1024,
  defaultSize: 16 * 1024 * 1024,
  mountOptions: 'errors=remount-ro',
  mkfs: (spec, image) => mkfsExt4(...(spec.inodes === undefined ? [] : ['-N', String(spec.inodes)]), image),
  makeData: (root, owner) => ownedDirectory(root, 'data', owner),
})

export const xfs = loopVolume({
  kind: 'xfs',
  title: 'xfs on a loop device',
  need: 'mkfs.xfs',
  minimumSize: 300 * 1024 * 1024,
  defaultSize: 300 * 1024 * 1024,
  mountOptions: 'inode64',
  mkfs: (_spec, image) => ['mkfs.xfs', '-q', '-f', image],
  makeData: (root, owner) => ownedDirectory(root, 'data', owner),
})

export const btrfs = loopVolume({
  kind: 'btrfs',
  title: 'btrfs on a loop device',
  need: 'mkfs.btrfs',
  minimumSize: 32 * 1024 * 1024,
  defaultSize: 64 * 1024 * 1024,
  mountOptions: 'max_inline=0',
  // --mixed, as is usual for a small disk: otherwise a full one has no room left for metadata, and not even a
  // delete brings it back
  mkfs: (_spec, image) => ['mkfs.btrfs', '-q', '-f', '--mixed', image],
  // a subvolume, since a qgroup limits subvolumes
  async makeData(root, owner) {
    const data = path.join(root, 'data')
    await command('btrfs', 'subvolume', 'create', data)
    await command('chown', `${owner.uid}:${owner.gid}`, data)
    return data
  },
})
