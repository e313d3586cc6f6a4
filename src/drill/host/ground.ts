/** What a file system itself stands on: a file on another one (loop), or directories of others (overlay). */
import { realpathSync } from 'node:fs'
import path from 'node:path'
import { namesOf, textOf } from './kernel.js'
import { type Mount, mountOf, mounts } from './mounts.js'

export interface Ground {
  /** Devices, 'major:minor', of the file systems that have to work, its own first. */
  readonly devices: readonly string[]
  /** Overlays whose layers cannot be seen from here: those of a container have names on the host alone. */
  readonly unseen: readonly Mount[]
}

/** @param place an absolute path without links */
export function groundOf(place: string, all: readonly Mount[] = mounts()): Ground {
  const devices = new Set<string>()
  const unseen: Mount[] = []
  const waiting = [place]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const mount = mountOf(next, all)
    if (mount === undefined || devices.has(mount.device)) continue
    devices.add(mount.device)
    try {
      waiting.push(...layersOf(mount).map((layer) => realpathSync(layer)))
    } catch {
      unseen.push(mount)
    }
    waiting.push(...filesUnder(blockDeviceOf(mount)))
  }
  return { devices: [...devices], unseen }
}

/** Directories that an overlay is made of. */
function layersOf({ type, superOptions }: Mount): string[] {
  if (type !== 'overlay') return []
  const pattern = /^(?:upperdir|workdir|lowerdir\+?)=(.*)$/
  return superOptions.flatMap((option) => pattern.exec(option)?.[1]?.split(':') ?? [])
}

/** A btrfs has a number of its own, which is that of no device. */
function blockDeviceOf({ device, source }: Mount): string {
  if (!device.startsWith('0:') || !source.startsWith('/dev/')) return device
  try {
    return lineOf(`/sys/class/block/${path.basename(realpathSync(source))}/dev`) ?? device
  } catch {
    return device // it has no such name here
  }
}

/** Files that a block device, or one below it, is made of: /sys/dev/block/M:m/loop/backing_file (losetup(8)). */
function filesUnder(device: string): string[] {
  // by its link, from which '..' is the disk that a partition is on
  const entry = `/sys/dev/block/${device}`
  const slaves = namesOf(`${entry}/slaves`).flatMap((name) => lineOf(`${entry}/slaves/${name}/dev`) ?? [])
  const disk = lineOf(`${entry}/partition`) === undefined ? [] : [lineOf(`${entry}/../dev`) ?? '']
  const file = lineOf(`${entry}/loop/backing_file`)
  return [...(file === undefined ? [] : [file]), ...[...slaves, ...disk].flatMap(filesUnder)]
}

/** A file that holds one line. */
function lineOf(file: string): string | undefined {
  return textOf(file)?.trim()
}
