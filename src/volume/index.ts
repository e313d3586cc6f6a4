import type { Isolation } from '../sandbox/isolation.js'
import { borrowed } from './borrowed.js'
import { directory } from './directory.js'
import { glass } from './glass.js'
import { btrfs, ext4, xfs } from './loop.js'
import { tmpfs } from './tmpfs.js'
import type { MountedVolume, VolumeKind, VolumeKindName, VolumeSpec } from './volume.js'

/** Every kind of volume there is. */
export const VOLUMES: Readonly<Record<VolumeKindName, VolumeKind>> = {
  tmpfs,
  ext4,
  xfs,
  btrfs,
  glass,
  directory,
}

/** A volume as a scenario asks for it: without a size, the kind's own. */
export type WantedVolume = Pick<VolumeSpec, 'kind' | 'inodes' | 'thin' | 'disk' | 'trace'> & {
  readonly size?: number | undefined
}

/** Makes and mounts a volume. Without namespaces a tmpfs is not mounted but borrowed. */
export function mountVolume(
  isolation: Isolation,
  wanted: WantedVolume,
  place: string,
  owner: { uid: number; gid: number },
): Promise<MountedVolume> {
  const kind = isolation === 'none' && wanted.kind === 'tmpfs' ? borrowed : VOLUMES[wanted.kind]
  return kind.mount({ ...wanted, size: wanted.size ?? kind.defaultSize }, place, owner)
}
