/** What a volume, a fault or a kind of evidence needs of the host. `doctor` tries each for real. */
interface NeedSpec {
  readonly title: string
  /** What would give it, where every program that it takes is there. */
  readonly fix: string
  /** Needs without which this one cannot be: what they lack is what this one lacks. */
  readonly after: readonly string[]
}

export const NEEDS = {
  tmpfs: {
    title: 'a volume with a quota in memory (tmpfs)',
    fix: 'run as root, or allow user namespaces, or give the container a small /dev/shm: docker run --shm-size=64m',
    after: [],
  },
  mount: {
    title: 'mounts in a namespace of its own',
    fix: 'run as root (in a container: docker run --privileged), or allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 (Debian) or kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)',
    after: [],
  },
  root: {
    title: 'real root, not root of a user namespace',
    fix: 'sudo npx lightning-chaos …, or in a container docker run --privileged',
    after: [],
  },
  loop: {
    title: 'loop devices',
    fix: 'modprobe loop (in a container: docker run --privileged -v /dev:/dev)',
    after: ['root'],
  },
  'mkfs.ext4': { title: 'an ext4 volume on a loop device', fix: 'modprobe ext4', after: ['loop'] },
  'mkfs.xfs': { title: 'an xfs volume on a loop device', fix: 'modprobe xfs', after: ['loop'] },
  'mkfs.btrfs': { title: 'a btrfs volume with a quota', fix: 'modprobe btrfs', after: ['loop'] },
  fuse: {
    title: 'glass, a file system of our own in which every operation can be failed (FUSE)',
    fix: 'modprobe fuse, and for an ordinary user chmod a+rw /dev/fuse (in a container: docker run --device /dev/fuse --cap-add SYS_ADMIN)',
    after: ['mount'],
  },
  immutable: {
    title: 'the immutable attribute (chattr +i)',
    fix: 'give the container CAP_LINUX_IMMUTABLE: docker run --privileged',
    after: ['mkfs.ext4'],
  },
  'other-user': {
    title: 'running the target as another user',
    fix: 'give the container CAP_SETUID and CAP_SETGID: docker run --privileged',
    after: ['root'],
  },
  'fs-error': {
    title: 'an ext4 that goes read-only by itself',
    fix: 'a kernel with /sys/fs/ext4/*/trigger_fs_error, and a writable /sys',
    after: ['mkfs.ext4'],
  },
  prlimit: {
    title: 'a file size limit on a running process',
    fix: 'apt-get install util-linux coreutils',
    after: [],
  },
  'kernel-trace': {
    title: 'direct evidence from the kernel trace of system calls',
    fix: 'run as root on a kernel with tracefs (CONFIG_FTRACE_SYSCALLS); without it the evidence is by probe',
    after: [],
  },
} as const satisfies Readonly<Record<string, NeedSpec>>

export type Need = keyof typeof NEEDS

/** Where the programs come from that not every host has. */
export const PACKAGES: Readonly<Record<string, string>> = {
  'mkfs.ext4': 'e2fsprogs',
  chattr: 'e2fsprogs',
  'mkfs.xfs': 'xfsprogs',
  'mkfs.btrfs': 'btrfs-progs',
  btrfs: 'btrfs-progs',
  findmnt: 'util-linux',
}

/** Whether the host gives a need; if not, why, and what would give it. */
export type Capability =
  | { readonly need: Need; readonly ok: true }
  | { readonly need: Need; readonly ok: false; readonly why: string; readonly fix: string }
