/** What a drill is going to do: pure data, made before anything is touched, and all that the watchdog is told. */
import type { FileId } from './host/files.js'
import type { ProcessId } from './host/processes.js'

export type FaultName =
  | 'diskfull'
  | 'inodes'
  | 'permissions'
  | 'readonly'
  | 'immutable'
  | 'slow'
  | 'stall'
  | 'pause'
  | 'kill'
  | 'fd-limit'
  | 'quota-volume'

/** A directory of the host, and the file system that it lies on, as they were when the plan was made. */
export interface Place {
  /** Absolute, with every link resolved. */
  readonly path: string
  readonly id: FileId
  /** 'major:minor' of the file system. */
  readonly device: string
  readonly mountPoint: string
  readonly type: string
  readonly source: string
}

/** What a slow disk still does, reading and writing each. */
export interface Rate {
  readonly bytesPerSecond: number
  readonly operationsPerSecond?: number
}

/** A volume for a service that is stopped and started around it. */
export interface SmallVolume {
  /** Bytes. */
  readonly size: number
  /** Commands. */
  readonly stop: readonly string[]
  readonly start: readonly string[]
  /** Where it is made; there is nothing by that name. */
  readonly directory: string
}

export interface PlannedProcess extends ProcessId {
  readonly name: string
}

export interface DrillPlan {
  readonly schema: 1
  readonly id: string
  readonly fault: FaultName
  /** Of the faults that are about a place. */
  readonly place?: Place
  /** Of the faults that are about processes; else those whose failed calls the kernel's trace is to show. */
  readonly processes: readonly PlannedProcess[]
  /** Bytes, inodes or descriptors to leave, as the fault has it. */
  readonly leave: number
  /** Whether the blocks that are reserved for root are filled, too. */
  readonly reserved: boolean
  /** Of a slow disk. */
  readonly rate?: Rate
  /** Of a small volume. */
  readonly volume?: SmallVolume
  /** How long the fault stays, in milliseconds. */
  readonly forMs: number
  readonly host: string
  readonly user: string
  /** ISO 8601, UTC. */
  readonly madeAt: string
  readonly bootId: string
  /** In which a fault that mounts something mounts it: mount_namespaces(7). Absent in a journal of an earlier version. */
  readonly mountNamespace?: string
}

/** In the environment of the watchdog of a drill, and of every program that changes something for it: the id of the drill. */
export const DRILL_VARIABLE = 'LIGHTNING_CHAOS_DRILL'

/** That variable and its value: 'NAME=value'. */
export function drillMark({ id }: DrillPlan): string {
  return `${DRILL_VARIABLE}=${id}`
}
