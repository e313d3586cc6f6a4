import { directory } from './directory.js'
import { btrfs, ext4, xfs } from './loop.js'
import { tmpfs } from './tmpfs.js'
import type { VolumeKind, VolumeKindName } from './volume.js'

/** Every kind of volume there is. */
export const VOLUMES: Readonly<Record<VolumeKindName, VolumeKind>> = { tmpfs, ext4, xfs, btrfs, directory }
