/** What is mounted where: proc_pid_mountinfo(5). */
import { readFileSync } from 'node:fs'

export interface Mount {
  /** Unique while it is mounted, and used again later. */
  readonly id: number
  /** The number of the file system's device, 'major:minor'; the same for all mounts of one file system. */
  readonly device: string
  /** The directory of the file system that is mounted. */
  readonly root: string
  readonly point: string
  readonly options: readonly string[]
  readonly type: string
  readonly source: string
}

/** In the order in which they were mounted: a later one covers an earlier one at the same point. */
export function mounts(): Mount[] {
  return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'))
}

export function parseMounts(text: string): Mount[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [left = '', right = ''] = line.split(' - ')
      const [id, , device = '', root = '', point = '', options = ''] = left.split(' ')
      const [type = '', source = ''] = right.split(' ')
      return {
        id: Number(id),
        device,
        root: unescapeOctal(root),
        point: unescapeOctal(point),
        options: options.split(','),
        type,
        source: unescapeOctal(source),
      }
    })
}

/** The mount that an absolute path without links lies on. */
export function mountOf(path: string, all: readonly Mount[] = mounts()): Mount | undefined {
  const holds = ({ point }: Mount) => point === '/' || path === point || path.startsWith(`${point}/`)
  return all
    .filter(holds)
    .reduce<Mount | undefined>(
      (best, each) => (best === undefined || each.point.length >= best.point.length ? each : best),
      undefined,
    )
}

/** Space, tab, newline and backslash are written in octal. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
