/** The directory that a drill is about: found once by its name, and from then on only ever that very directory. */
import { closeSync, realpathSync } from 'node:fs'
import { HostError, UsageError } from '../../errors.js'
import { CoveredError, RefusedError } from '../errors.js'
import type { DrillPlan, Place } from '../plan.js'
import { fileId, isGone, isSameFile, openPlace, statOf } from './files.js'
import { type Mount, mountOf, mounts } from './mounts.js'
import { bootId } from './processes.js'

/** @throws UsageError where there is no such directory */
export function findPlace(named: string): Place {
  if (named === '') throw new UsageError('--path is empty', { hint: 'name a directory' })
  let path: string
  try {
    path = realpathSync(named)
  } catch (error) {
    throw new UsageError(`--path ${named}: ${(error as Error).message}`, { cause: error })
  }
  const mount = mountOf(path, mounts())
  if (mount === undefined) throw new HostError(`${path} lies on no mount of /proc/self/mountinfo`)
  const fd = openPlace(path)
  try {
    const stat = statOf(fd)
    if (!stat.isDirectory()) {
      throw new UsageError(`--path ${named}: is not a directory`, { hint: 'name the one that it lies in' })
    }
    const { device, point: mountPoint, type, source } = mount
    return { path, id: fileId(stat), device, mountPoint, type, source }
  } finally {
    closeSync(fd)
  }
}

/**
 * Calls `use` with a descriptor of the plan's directory.
 * @throws RefusedError where something else has its name by now, or nothing; CoveredError where something is mounted over it
 */
export async function withPlace<T>(
  plan: DrillPlan,
  use: (fd: number, path: string) => Promise<T>,
): Promise<T> {
  const place = placeOf(plan)
  const hold = devicesHold(plan)
  // what is mounted there by now is asked nothing, as it may never answer
  const top = hold ? mountOf(place.path) : undefined
  if (top !== undefined && top.device !== place.device) throw covered(place, top)
  const fd = openKnown(place)
  try {
    if (!isSameFile(fileId(statOf(fd)), place.id, hold)) throw replaced(place)
    return await use(fd, place.path)
  } finally {
    closeSync(fd)
  }
}

/**
 * Whether the numbers of devices are what they were when the plan was made: until the next boot, and until the file system is
 * unmounted. It has another one where it is mounted again.
 */
export function devicesHold(plan: DrillPlan): boolean {
  const { device, mountPoint } = placeOf(plan)
  return (
    plan.bootId === bootId() && mounts().some((each) => each.device === device && each.point === mountPoint)
  )
}

function openKnown(place: Place): number {
  try {
    return openPlace(place.path)
  } catch (error) {
    throw isGone(error) ? replaced(place, error) : error
  }
}

function replaced({ path }: Place, cause?: unknown): RefusedError {
  return new RefusedError(`${path} is not the directory any more that it was when the drill was planned`, {
    hint: 'nothing below that name is touched; put the directory back, or undo by hand: docs/drills.md',
    cause,
  })
}

function covered({ path }: Place, { point }: Mount): CoveredError {
  const where = point === path ? path : `${point}, and hides ${path}`
  return new CoveredError(`something is mounted over ${where}: unmount that first`)
}

export function placeOf({ fault, place }: DrillPlan): Place {
  if (place === undefined) {
    throw new UsageError(`${fault} needs a directory`, { hint: 'name it: --path DIRECTORY' })
  }
  return place
}
