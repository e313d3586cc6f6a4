/** What is mounted where: proc_pid_mountinfo(5). */
import { readFileSync } from 'node:fs'
import path from 'node:path'

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

/** Of a process, in the order in which they were mounted: a later one covers an earlier one at the same point. */
export function mounts(pid: number | 'self' = 'self'): Mount[] {
  return parseMounts(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'))
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

/** The mount that an absolute path without links lies on. */
export function mountOf(place: string, all: readonly Mount[] = mounts()): Mount | undefined {
  const holds = ({ point }: Mount) => point === '/' || place === point || place.startsWith(`${point}/`)
  return all
    .filter(holds)
    .reduce<Mount | undefined>(
      (best, each) => (best === undefined || each.point.length >= best.point.length ? each : best),
      undefined,
    )
}

/** The directory of its file system that an absolute path without links is. */
export function rootOf(place: string, { root, point }: Mount): string {
  return path.join(root, path.relative(point, place))
}

/** Space, tab, newline and backslash are written in octal. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
