/** What is mounted where: proc_pid_mountinfo(5). */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { textOf } from './kernel.js'

export interface Mount {
  /** Unique while it is mounted, and used again later. */
  readonly id: number
  /** The mount that it is mounted on. */
  readonly parent: number
  /** The number of the file system's device, 'major:minor'; the same for all mounts of one file system. */
  readonly device: string
  /** The directory of the file system that is mounted. */
  readonly root: string
  readonly point: string
  readonly options: readonly string[]
  readonly type: string
  readonly source: string
  /** Options of the file system, as it has them for all its mounts. */
  readonly superOptions: readonly string[]
}

/** In the order in which they were mounted: a later one covers an earlier one at the same point. */
export function mounts(): Mount[] {
  return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'))
}

/** As another process has them; none where it has ended. */
export function mountsOf(pid: number): Mount[] {
  return parseMounts(textOf(`/proc/${pid}/mountinfo`) ?? '')
}

export function parseMounts(text: string): Mount[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [left = '', right = ''] = line.split(' - ')
      const [id, parent, device = '', root = '', point = '', options = ''] = left.split(' ')
      const [type = '', source = '', superOptions = ''] = right.split(' ')
      return {
        id: Number(id),
        parent: Number(parent),
        device,
        root: unescapeOctal(root),
        point: unescapeOctal(point),
        options: options.split(','),
        type,
        source: unescapeOctal(source),
        superOptions: superOptions.split(',').map(unescapeOctal),
      }
    })
}

/**
 * The mount that an absolute path without links lies on. From mount to mount, as the kernel goes there: a mount point further
 * down may be hidden by what was mounted above it since.
 */
export function mountOf(place: string, all: readonly Mount[] = mounts()): Mount | undefined {
  const ids = new Set(all.map(({ id }) => id))
  const onTheWay = all.filter(({ point }) => isWithin(place, point))
  // what the first one is mounted on is not shown, or is itself
  let found = nextOf(onTheWay.filter(({ id, parent }) => parent === id || !ids.has(parent)))
  for (let next = found; next !== undefined; ) {
    found = next
    next = nextOf(onTheWay.filter(({ id, parent }) => parent === next?.id && id !== parent))
  }
  return found
}

/** Of mounts on the way to one place, the one that is met first: the last at the shortest point. */
function nextOf(candidates: readonly Mount[]): Mount | undefined {
  const [first] = candidates.toSorted((a, b) => a.point.length - b.point.length)
  return candidates.findLast(({ point }) => point === first?.point)
}

/** Whether an absolute path is a directory, or lies below it. */
export function isWithin(place: string, directory: string): boolean {
  return place === directory || place.startsWith(directory === '/' ? '/' : `${directory}/`)
}

/** The directory of its file system that an absolute path without links is. */
export function rootOf(place: string, { root, point }: Mount): string {
  return path.join(root, path.relative(point, place))
}

/** In files of /proc that have words, space, tab, newline and backslash are written in octal. */
export function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
