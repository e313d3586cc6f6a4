/**
 * A full file system. The room is taken by a file that never has a name (O_TMPFILE) and that the watchdog alone holds
 * open: with that process the kernel takes it away, however the process ended, and after a power cut the file system does.
 */
import { randomFillSync } from 'node:crypto'
import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, statfsSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { HostError } from '../../errors.js'
import { CommandError, command } from '../../sandbox/command.js'
import { formatSize } from '../../scenario/size.js'
import { openPlace, openUnnamed, procPath } from '../host/files.js'
import { placeOf, withPlace } from '../host/place.js'
import type { DrillPlan } from '../plan.js'
import { checkMemory, checkNoDiskNeedsRoom, type Fault } from './fault.js'
import { keep } from './keep.js'

/** Room comes back a little after the file goes (xfs frees in the background). */
const SETTLE_MS = 10_000
const SETTLE_STEP_MS = 20
const PIECE = 1024 * 1024

type Room = Readonly<Record<'free', number>>

export const diskfull: Fault<Room> = {
  title: 'A full file system',
  errnos: ['ENOSPC', 'EDQUOT'],
  capabilities: ['dac_override', 'sys_resource'],
  foresee(plan) {
    const { path, mountPoint, type } = placeOf(plan)
    const { available, reserved, fixed } = spaceOf(path, type)
    if (!fixed) throw new HostError(`${mountPoint} (${type}) does not say how much room it has`)
    if (plan.reserved && process.geteuid?.() !== 0) {
      throw new HostError('only root can fill what is reserved for root', {
        hint: 'leave out --reserved, or call it by sudo',
      })
    }
    tryUnnamed(path)
    checkNoDiskNeedsRoom(plan)
    const takes = Math.max(0, available + (plan.reserved ? reserved : 0) - plan.leave)
    checkMemory(plan, takes)
    const keeps =
      reserved === 0
        ? []
        : [
            plan.reserved
              ? `fills the ${formatSize(reserved)} that are reserved for root, too`
              : `does not touch the ${formatSize(reserved)} that are reserved for root: a service that runs as root can still write there (--reserved fills them, too)`,
          ]
    return {
      does: [
        `takes ${formatSize(takes)} of ${mountPoint} (${type}), ${formatSize(available)} free now, and leaves ${formatSize(plan.leave)}`,
        'with one file that has no name, held open by the watchdog; takes what others give back meanwhile, too',
        ...keeps,
      ],
      undoes: ['closes that file; the kernel gives the room back, also when the watchdog is killed'],
    }
  },
  *save(plan) {
    const { path, type } = placeOf(plan)
    yield { free: spaceOf(path, type).available }
  },
  async inject(plan, _saved, stop) {
    const fd = await withPlace(plan, async (directory) => openUnnamed(directory, constants.O_RDWR))
    const ballast = new Ballast(fd, plan)
    try {
      await ballast.fill(stop)
      ballast.giveBackExcess()
    } catch (error) {
      ballast.close()
      throw error
    }
    const keeping = keep(() => ballast.fill(stop))
    const { available } = ballast.space()
    return {
      detail: `${formatSize(ballast.size)} taken, ${formatSize(available)} free`,
      async release() {
        try {
          await keeping.end()
        } finally {
          await ballast.giveBack()
        }
      },
    }
  },
  /** Whatever became of the watchdog: whoever undoes has waited for its end. */
  async undo() {
    return { detail: 'the file without a name is closed, and gone', left: [], failed: [] }
  },
}

class Ballast {
  readonly #fd: number
  readonly #file: string
  readonly #plan: DrillPlan
  #canAllocate = true

  constructor(fd: number, plan: DrillPlan) {
    this.#fd = fd
    this.#file = procPath(fd)
    this.#plan = plan
  }

  /** Of the file system that it is on. */
  space(): Space {
    return spaceOf(this.#file, placeOf(this.#plan).type)
  }

  /** Bytes that it takes on the file system. */
  get size(): number {
    return fstatSync(this.#fd).blocks * 512
  }

  /** Takes everything but what is to be left. */
  async fill(stop: AbortSignal): Promise<void> {
    const { bsize } = statfsSync(this.#file)
    for (let piece = Number.POSITIVE_INFINITY; !stop.aborted; ) {
      const room = this.#room()
      piece = Math.min(piece, room - (room % bsize))
      if (piece < bsize) break
      if (!(await this.#take(piece))) piece = Math.floor(piece / 2)
    }
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** Closes it, and waits until the room is there again. */
  async giveBack(): Promise<void> {
    const { size } = this
    const before = freeBytes(this.#file)
    this.close()
    try {
      await withPlace(this.#plan, async (directory) => {
        const place = procPath(directory)
        // btrfs gives room back when its transaction ends, which is 30 s away otherwise
        await command('sync', '--file-system', place)
        // others take of it at once: most of it is enough to know that it came back
        const isBack = () => freeBytes(place) >= before + size / 2
        for (let waited = 0; !isBack() && waited < SETTLE_MS; waited += SETTLE_STEP_MS)
          await sleep(SETTLE_STEP_MS)
      })
    } catch {
      // it has another name by now, or is covered; the kernel gives the room back all the same, which the witness will see
    }
  }

  /** Bytes that there are beyond what is to be left; below 0 where others took of that. */
  #room(): number {
    const { available, reserved } = this.space()
    return available + (this.#plan.reserved ? reserved : 0) - this.#plan.leave
  }

  /**
   * What the file system needs to keep track of the file comes on top of it, and is given back. Only right after it was
   * filled: later, what is missing is what others wrote.
   */
  giveBackExcess(): void {
    const { bsize } = statfsSync(this.#file)
    const excess = -this.#room()
    const { size } = fstatSync(this.#fd)
    if (excess >= bsize && size > 0)
      ftruncateSync(this.#fd, Math.max(0, size - Math.ceil(excess / bsize) * bsize))
  }

  /** @returns whether there was room */
  async #take(bytes: number): Promise<boolean> {
    if (!this.#canAllocate) return this.#write(bytes)
    const { size } = fstatSync(this.#fd)
    try {
      await command(
        ...(['fallocate', '--offset', String(size)] as const),
        ...['--length', String(bytes), this.#file],
      )
      return true
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      if (/No space left on device|Disk quota exceeded/.test(error.stderr)) return false
      if (!/not supported/.test(error.stderr) && error.missing === undefined) throw error
      this.#canAllocate = false
      return this.#write(bytes)
    }
  }

  /** Noise, as zeros may take no room at all; in pieces, so that a lot of it does not keep us from being stopped. */
  #write(bytes: number): boolean {
    const piece = randomFillSync(Buffer.alloc(Math.min(bytes, PIECE)))
    try {
      writeSync(this.#fd, piece, 0, piece.length, fstatSync(this.#fd).size)
      fsyncSync(this.#fd)
      return true
    } catch (error) {
      if (!['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
      return false
    }
  }
}

interface Space {
  /** Bytes for everybody, and bytes for root alone. */
  readonly available: number
  readonly reserved: number
  /** False where the file system has no size. */
  readonly fixed: boolean
}

/** @param type of the file system: what is free and not available is reserved for root on ext4, and elsewhere something else */
function spaceOf(path: string, type: string): Space {
  const { bavail, bfree, bsize, blocks } = statfsSync(path)
  const reserved = type.startsWith('ext') ? (bfree - bavail) * bsize : 0
  return { available: bavail * bsize, reserved, fixed: blocks > 0 }
}

function freeBytes(path: string): number {
  const { bfree, bsize } = statfsSync(path)
  return bfree * bsize
}

/** @throws HostError where there can be no file without a name */
function tryUnnamed(path: string): void {
  const directory = openPlace(path)
  try {
    closeSync(openUnnamed(directory, constants.O_RDWR))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES') {
      throw new HostError(`no file can be made in ${path}: ${(error as Error).message}`, {
        hint: 'call it as root, or as the owner of the directory',
      })
    }
    throw new HostError(
      `${path} lies on a file system without unnamed files (O_TMPFILE): ${(error as Error).message}`,
      {
        hint: 'a file with a name could be left behind there, so this drill is not done',
      },
    )
  } finally {
    closeSync(directory)
  }
}
