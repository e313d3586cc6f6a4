/** What a volume is: the place the target's files live on, with a quota. One file of this room a kind. */
import type { GlassClient } from '../glass/client.js'
import type { Need } from '../sandbox/need.js'

export const VOLUME_KINDS = ['tmpfs', 'ext4', 'xfs', 'btrfs', 'glass', 'directory'] as const
export type VolumeKindName = (typeof VOLUME_KINDS)[number]

/** The volume as a scenario asks for it. */
export interface VolumeSpec {
  readonly kind: VolumeKindName
  /** Capacity in bytes. */
  readonly size: number
  /** The number of files and directories that fit; where it is absent, the kind's own default. */
  readonly inodes?: number | undefined
  /**
   * Bytes that the disk under the file system really has, where that is less than `size`: the file system
   * believes in room that is not there. Loop kinds only.
   */
  readonly thin?: number | undefined
  /** What the disk under the file system is, where it is one that can be failed. Loop kinds only. */
  readonly disk?: 'glass' | undefined
  /** Whether the trace has what was read and written, too. Glass only, be it the disk. */
  readonly trace?: 'bytes' | undefined
}

/** Whether there is a glass that sees every operation: of the files, or of the disk under them. */
export function hasTrace({ kind, disk }: Pick<VolumeSpec, 'kind' | 'disk'>): boolean {
  return kind === 'glass' || disk === 'glass'
}

export interface VolumeSpace {
  /** Bytes that the target could still write. */
  readonly freeBytes: number
  readonly freeInodes: number
}

/** A volume that is mounted and ready. Paths are absolute and seen by the target. */
export interface MountedVolume {
  readonly kind: VolumeKindName
  /** Root of the file system. Belongs to the tool: the target can neither write nor list it. */
  readonly root: string
  /** The target's own directory on it, and the only one it is told of. */
  readonly data: string
  /** Beside it, a directory of the target's user for probes, so that they leave the target's files alone. */
  readonly probes: string
  /** The block device, of the loop kinds. It may be another one after each `remount`. */
  device?(): Promise<string>
  /** The directory that holds the backing image, of the loop kinds. */
  readonly under?: string
  /** Of glass, under the files or under the file system: what takes its commands, and the file that its trace goes to. */
  readonly glass?: { readonly client: GlassClient; readonly trace: string }
  /** The process that serves it, of glass: it is no stray. */
  readonly serverPid?: number
  /** The processor that it is served on, of glass: a target beside it is answered several times as fast. */
  readonly cpu?: number
  /** What the volume itself failed of, where it did. */
  failure?(): Error | undefined
  space(): Promise<VolumeSpace>
  /**
   * Unmounts and mounts again what is there (after an error made it read-only, say).
   * @param between done while it is not mounted
   */
  remount(between?: () => Promise<void>): Promise<void>
  unmount(): Promise<void>
}

export interface VolumeKind {
  readonly kind: VolumeKindName
  readonly title: string
  readonly needs: readonly Need[]
  /** Smallest and default capacity, in bytes. */
  readonly minimumSize: number
  readonly defaultSize: number
  /**
   * @param place an empty directory of our own private tmpfs, for mount points and images
   * @param owner user and group that the data directory belongs to
   */
  mount(spec: VolumeSpec, place: string, owner: { uid: number; gid: number }): Promise<MountedVolume>
}
