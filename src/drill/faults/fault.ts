/** What a fault of a live host is. Each file of this room defines one; index.ts lists them. */
import { readFileSync } from 'node:fs'
import { HostError } from '../../errors.js'
import { formatSize } from '../../scenario/size.js'
import { RefusedError, UndoError } from '../errors.js'
import { type Capability, hasCapability } from '../host/capabilities.js'
import { disksOn } from '../host/images.js'
import { mounts } from '../host/mounts.js'
import { placeOf } from '../host/place.js'
import { isNamespaceGone, mountNamespace, mountNamespaces } from '../host/processes.js'
import type { Saved } from '../journal.js'
import type { DrillPlan, FaultName } from '../plan.js'

/** Evidence that needs no witness: what the kernel says of a process. */
export interface Observation {
  /** What was seen: the name of an error, or of a signal. */
  readonly sign: string
  readonly detail: string
}

/** What a drill would do, in words, with figures. */
export interface Foresight {
  readonly does: readonly string[]
  readonly undoes: readonly string[]
}

/** A fault that is on. */
export interface Injected {
  /** In words, with figures. */
  readonly detail: string
  /**
   * Gives back what only this process holds. What is left to do after it, `undo` does from the journal. Rejects where it could
   * not be kept all the time, or not be given back.
   */
  release?(): Promise<void>
}

/** What came of undoing. */
export interface Undone {
  readonly detail: string
  /** What others changed meanwhile, and was left as they made it. */
  readonly left: readonly string[]
  /** What could not be put back, and is still to be. */
  readonly failed: readonly string[]
  /** Set where nothing of the fault was there any more: somebody had taken it back. What was there instead, in words. */
  readonly gone?: string
}

/**
 * `foresee` and `save` only read. `save` gives what `undo` will need, which is in the journal before `inject` begins.
 * `undo` works from that alone, in any process, at any moment, any number of times: it changes only what is as `inject`
 * made it.
 */
export interface Fault<S extends Saved = Saved> {
  readonly title: string
  /** What a witness, or the service, runs into: names of errors, or BLOCKED (see src/drill/testimony.ts). */
  readonly errnos: readonly string[]
  /** What the watchdog keeps of root's capabilities, as setpriv(1) names them. */
  readonly capabilities: readonly string[]
  /** Set where the witness meets the fault only if it is one of the processes. */
  readonly takesWitness?: true
  /** Set where there is no way back, so that it is still to be seen after it. */
  readonly lasts?: true
  /** @throws HostError, RefusedError where it cannot be done here */
  foresee(plan: DrillPlan): Foresight
  save(plan: DrillPlan): Iterable<S>
  /** @param stop is aborted when it is to be undone already: what is not done yet need not be */
  inject(plan: DrillPlan, saved: readonly S[], stop: AbortSignal): Promise<Injected>
  undo(plan: DrillPlan, saved: readonly S[]): Promise<Undone>
  /** Whether the kernel shows the fault, where there is nothing to try. */
  observe?(plan: DrillPlan): Observation | undefined
}

/** @throws HostError where we do not have it: what cannot be done could not be undone */
export function needCapability(name: Capability, fault: FaultName): void {
  if (hasCapability(name)) return
  throw new HostError(`drill ${fault} needs CAP_${name.toUpperCase()}`, { hint: 'call it as root, by sudo' })
}

/** @throws RefusedError where something is mounted below the place, which a mount over it would hide */
export function checkNothingMountedBelow(plan: DrillPlan): void {
  const { path } = placeOf(plan)
  const below = mounts().find(({ point }) => point.startsWith(`${path}/`))
  if (below === undefined) return
  throw new RefusedError(`${below.point} is a mount of its own, which ${plan.fault} would hide`, {
    hint: 'name that directory, or one without mounts below it',
  })
}

/**
 * Whether what was mounted in another mount namespace went with that.
 * @throws UndoError where it is still there, and what is mounted in it is not seen from here
 */
export function isElsewhere({ mountNamespace: begun }: DrillPlan): boolean {
  if (begun === undefined || begun === mountNamespace()) return false
  if (isNamespaceGone(begun)) return true
  const inside = mountNamespaces().get(begun)
  const where =
    inside === undefined
      ? ', which is not seen from here'
      : `, that of process ${inside}: nsenter --mount --target ${inside} lightning-chaos drill undo`
  throw new UndoError(`it was begun in another mount namespace${where}`)
}

/** @throws RefusedError where what is on a disk that is a file there would lose what it writes, for want of room */
export function checkNoDiskNeedsRoom(plan: DrillPlan): void {
  const disk = disksOn(placeOf(plan)).find(({ needsRoom }) => needsRoom)
  if (disk === undefined) return
  throw new RefusedError(
    `${disk.file} is what ${disk.device} is made of, and may not have all of its room yet: what is written to ${disk.device} would be lost`,
    { hint: 'take that out of use first (losetup --list shows it), or choose drill quota-volume' },
  )
}

/** @throws HostError where a file system in memory would take more than half of what is left of that */
export function checkMemory({ place }: DrillPlan, bytes: number): void {
  if (place?.type !== 'tmpfs') return
  const available =
    Number(/^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1] ?? 0) * 1024
  if (bytes <= available / 2) return
  throw new HostError(
    `${place.mountPoint} is in memory, and would take ${formatSize(bytes)} of the ${formatSize(available)} that are left`,
    { hint: 'mount one with a limit: mount -o remount,size=64m' },
  )
}

/** Most things that are named one by one. */
const MOST_NAMED = 20

/** Counts what is told, and keeps the first few. */
export class Told {
  readonly #lines: string[] = []
  #count = 0

  add(line: string): void {
    this.#count += 1
    if (this.#count <= MOST_NAMED) this.#lines.push(line)
  }

  get lines(): readonly string[] {
    const more = this.#count - this.#lines.length
    return more === 0 ? this.#lines : [...this.#lines, `… and ${more} more`]
  }
}
