/** What a volume or a fault needs of the host. `doctor` tries each for real. */
export const NEEDS = {
  tmpfs: 'mount a size-limited tmpfs in a namespace of its own',
  root: 'real root (not root of a user namespace)',
  loop: 'mount a file system image through a loop device',
  'mkfs.ext4': 'make an ext4 file system',
  'mkfs.xfs': 'make an xfs file system',
  'mkfs.btrfs': 'make a btrfs file system and limit it with a qgroup',
  immutable: 'set the immutable attribute of a file',
  'other-user': 'run the target as another user',
  'fs-error': 'trigger an ext4 error that makes the file system read-only',
  prlimit: 'limit the file size of a running process',
} as const

export type Need = keyof typeof NEEDS

/** Whether the host gives a need; if not, why, and the command that would. */
export type Capability =
  | { readonly need: Need; readonly ok: true }
  | { readonly need: Need; readonly ok: false; readonly why: string; readonly fix: string }
