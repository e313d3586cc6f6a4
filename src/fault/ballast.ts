/** Faults that leave no room: a neighbour's files on the same volume. */

import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, readdir, rm, statfs, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { InternalError } from '../errors.js'
import { probeCreate, probeWrite } from '../evidence/probe.js'
import { CommandError, command } from '../sandbox/command.js'
import type { FaultKind } from './fault.js'

export const ballast: FaultKind = {
  kind: 'ballast',
  title: "A neighbour's file fills the volume",
  family: 'full',
  errnos: ['ENOSPC'],
  refusals: ['disk-full'],
  needs: [],
  parameters: {
    leave: { type: 'size', default: 0, about: 'Bytes to leave free' },
  },
  async inject(world, parameters) {
    const file = path.join(world.volume.root, `ballast-${Date.now()}`)
    const size = await fill(file, Number(parameters.leave))
    const { freeBytes } = await world.volume.space()
    return {
      detail: `ballast of ${size} bytes, ${freeBytes} bytes free`,
      probe: () => probeWrite(world.asTarget, world.volume.probes),
      async heal() {
        await rm(file)
        await settle(world.volume.root)
        return `ballast of ${size} bytes removed, ${(await world.volume.space()).freeBytes} bytes free`
      },
    }
  },
}

export const thin: FaultKind = {
  kind: 'thin',
  title: 'The disk under the file system runs out: writes succeed and fsync fails',
  family: 'io',
  errnos: ['ENOSPC', 'EIO', 'EROFS'],
  refusals: ['disk-full', 'io', 'read-only'],
  needs: ['mkfs.ext4'],
  volumes: ['ext4', 'xfs', 'btrfs'],
  parameters: {
    leave: { type: 'size', default: 0, about: 'Bytes to leave under the file system' },
  },
  healsStopped: true,
  async inject(world, parameters) {
    const { under } = world.volume
    if (under === undefined) throw new InternalError('thin needs a volume with an image under it')
    const file = path.join(under, 'ballast')
    const size = await fill(file, Number(parameters.leave))
    return {
      detail: `ballast of ${size} bytes under the file system`,
      probe: () => probeWrite(world.asTarget, world.volume.probes),
      async heal() {
        // while there still is no room: what was not written back by now is lost, as it is in real life
        await settle(world.volume.root).catch(ignoreFailure)
        await rm(file)
        await world.volume.remount()
        return `ballast of ${size} bytes removed, the volume mounted again`
      },
    }
  },
}

export const inodes: FaultKind = {
  kind: 'inodes',
  title: "A neighbour's empty files use up every inode",
  family: 'full',
  errnos: ['ENOSPC'],
  refusals: ['disk-full'],
  needs: ['mount'],
  parameters: {
    leave: { type: 'count', default: 0, about: 'Inodes to leave free' },
  },
  async inject(world, parameters) {
    const directory = path.join(world.volume.root, 'inodes')
    await mkdir(directory, { mode: 0o700 })
    const count = await useInodes(directory, Number(parameters.leave))
    return {
      detail: `${count} empty files, ${(await world.volume.space()).freeInodes} inodes free`,
      probe: () => probeCreate(world.asTarget, world.volume.probes),
      async heal() {
        await rm(directory, { recursive: true })
        return `${count} empty files removed`
      },
    }
  },
}

/** Above this, room is taken by fallocate(2), which writes nothing; the rest is written, to the last byte. */
const FALLOCATE_ABOVE = 8 * 1024 * 1024

/**
 * Fills the file system that `file` lies on to the last byte, but for `leave` bytes. These are taken first and given
 * back last: to cut the ballast shorter can itself need room (btrfs).
 * @returns bytes that the file took
 */
async function fill(file: string, leave: number): Promise<number> {
  const spacer = `${file}-spacer`
  await writeFile(spacer, Buffer.alloc(leave), { flush: true })
  const size = await fillAll(file)
  await rm(spacer)
  await settle(path.dirname(file))
  return size
}

async function fillAll(file: string): Promise<number> {
  const handle = await open(file, 'wx', 0o600)
  try {
    const size = await writeUntilFull(handle, await allocate(file))
    await handle.sync().catch(ignoreFull)
    return size
  } finally {
    await handle.close().catch(ignoreFull)
  }
}

/** Some file systems give room back when their transaction ends, not before. */
async function settle(directory: string): Promise<void> {
  await command('sync', '--file-system', directory)
}

/** Takes room in ever smaller pieces: some file systems refuse a piece that is larger than their largest extent. */
async function allocate(file: string): Promise<number> {
  const { bavail, bsize } = await statfs(path.dirname(file))
  let size = 0
  for (let piece = bavail * bsize; piece > FALLOCATE_ABOVE; ) {
    try {
      await command('fallocate', '--offset', String(size), '--length', String(piece), file)
      size += piece
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      piece = Math.floor(piece / 2)
    }
  }
  return size
}

async function writeUntilFull(handle: FileHandle, from: number): Promise<number> {
  let size = from
  for (const piece of [1024 * 1024, 4096, 1]) {
    const zeros = Buffer.alloc(piece)
    for (;;) {
      try {
        const { bytesWritten } = await handle.write(zeros, 0, piece, size)
        size += bytesWritten
      } catch (error) {
        ignoreFull(error as NodeJS.ErrnoException)
        break
      }
    }
  }
  return size
}

async function useInodes(directory: string, leave: number): Promise<number> {
  for (let count = 0; ; count += 1) {
    try {
      await (await open(path.join(directory, String(count)), 'wx')).close()
    } catch (error) {
      ignoreFull(error as NodeJS.ErrnoException)
      const names = await readdir(directory)
      for (const name of names.slice(0, leave)) await rm(path.join(directory, name))
      return names.length - Math.min(leave, names.length)
    }
  }
}

/** Running into the wall is what a fill is for. */
function ignoreFull(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOSPC' && error.code !== 'EDQUOT') throw error
}

/** That it fails is what the fault is about. */
function ignoreFailure(error: unknown): void {
  if (!(error instanceof CommandError)) throw error
}
