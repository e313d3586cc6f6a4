/** Reading past damage: what `verify` lists and `salvage` steps over. */
import { HEADER_SIZE } from './format.js'
import { type FrameVisitor, findFrame, scanFrames } from './scan.js'
import type { Segment } from './segment.js'

export interface Damage {
  readonly file: string
  readonly offset: number
  /** How many bytes can't be read as what they were. */
  readonly bytes: number
  readonly reason: string
}

export interface Verification {
  readonly damage: readonly Damage[]
  /** Whole commits, and bytes of log that were read. */
  readonly frames: number
  readonly bytes: number
}

/** A segment and where its last whole frame is known, or thought, to end. */
export interface Extent {
  readonly segment: Segment
  readonly end: number
}

export async function verifySegments(extents: readonly Extent[]): Promise<Verification> {
  const damage: Damage[] = []
  let frames = 0
  let bytes = 0
  for (const { segment, end } of extents) {
    const { path: file } = segment
    const fileEnd = Math.min(end, segment.fileSize())
    if (fileEnd < end)
      damage.push({ file, offset: fileEnd, bytes: end - fileEnd, reason: 'the file was cut off' })
    damage.push(...(await readPastDamage(segment, fileEnd, () => frames++)))
    bytes += fileEnd
  }
  return { damage, frames, bytes }
}

/** Visits every whole frame of a segment, and lists what lies between them. */
export async function readPastDamage(segment: Segment, end: number, visit: FrameVisitor): Promise<Damage[]> {
  const { fd, seed, header, path: file } = segment
  const damage: Damage[] = []
  let position = HEADER_SIZE
  const commit = header.compacted ? 0 : header.firstCommit - 1
  while (position < end) {
    const stop = await scanFrames(fd, seed, position, end, undefined, (bytes, at, length, at_) => {
      visit(bytes, at, length, at_)
    })
    if (stop.bad === undefined) break
    const next = findFrame(fd, seed, stop.position + 1, end, commit) ?? end
    damage.push({ file, offset: stop.position, bytes: next - stop.position, reason: stop.bad.reason })
    position = next
  }
  segment.relax()
  return damage
}
