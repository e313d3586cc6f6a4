/** What a volume, a fault or a kind of evidence needs of the host. `doctor` tries each for real. */
export const NEEDS = {
  tmpfs: {
    title: 'a volume with a quota in memory (tmpfs)',
    fix: 'run as root, or allow user namespaces, or give the container a small /dev/shm: docker run --shm-size=64m',
  },
  mount: {
    title: 'mounts in a namespace of its own',
    fix: 'run as root, or allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 (Debian) or kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)',
  },
  root: { title: 'real root, not root of a user namespace', fix: 'sudo npx lightning-chaos …' },
  loop: { title: 'loop devices', fix: 'modprobe loop (in a container: docker run --privileged)' },
  'mkfs.ext4': { title: 'an ext4 volume on a loop device', fix: 'apt-get install e2fsprogs' },
  'mkfs.xfs': { title: 'an xfs volume on a loop device', fix: 'apt-get install xfsprogs' },
  'mkfs.btrfs': { title: 'a btrfs volume with a quota', fix: 'apt-get install btrfs-progs' },
  immutable: {
    title: 'the immutable attribute (chattr +i)',
    fix: 'apt-get install e2fsprogs, and run as root',
  },
  'other-user': { title: 'running the target as another user', fix: 'run as root' },
  'fs-error': {
    title: 'an ext4 that goes read-only by itself',
    fix: 'a kernel with /sys/fs/ext4/*/trigger_fs_error, and root',
  },
  prlimit: { title: 'a file size limit on a running process', fix: 'apt-get install util-linux coreutils' },
  'kernel-trace': {
    title: 'direct evidence from the kernel trace of system calls',
    fix: 'run as root on a kernel with tracefs (CONFIG_FTRACE_SYSCALLS); without it the evidence is by probe',
  },
} as const

export type Need = keyof typeof NEEDS

/** Whether the host gives a need; if not, why, and what would give it. */
export type Capability =
  | { readonly need: Need; readonly ok: true }
  | { readonly need: Need; readonly ok: false; readonly why: string; readonly fix: string }
