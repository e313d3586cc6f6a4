/**
 * A place to drill: a file system of our own on a loop device, with a tree on it that has everything a tree can have. Its
 * state can be told in full, to be compared with what it is later. For root.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statfsSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { has } from './cli.js'

/** Why there can be no such place here; undefined where there can. */
export const NO_GROUND =
  process.geteuid?.() !== 0
    ? 'needs root, to mount a file system'
    : ['mkfs.ext4', 'mount', 'perl', 'python3', 'setpriv'].some((program) => !has(program))
      ? 'needs e2fsprogs, util-linux, perl and python3'
      : undefined

const NOBODY = 65534

export interface Ground {
  /** Of everything below. */
  readonly directory: string
  readonly mountPoint: string
  /** The data of the service, owned by nobody. */
  readonly data: string
  /** For undo journals; on another file system. */
  readonly state: string
  /** Commands that stop and start a service, which has a file of the data open. Each is safe to repeat. */
  readonly service: { readonly stop: string; readonly start: string }
  /** Everything that a drill could change. */
  snapshot(): Record<string, string>
  free(): { readonly bytes: number; readonly inodes: number }
  remove(): void
}

/** @param megabytes size of the file system; @param inodes how many it has, where that matters */
export function prepareGround(megabytes = 32, inodes?: number): Ground {
  const directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'lightning-drill-')))
  chmodSync(directory, 0o755)
  const image = path.join(directory, 'image')
  const mountPoint = path.join(directory, 'volume')
  const data = path.join(mountPoint, 'data')
  mkdirSync(mountPoint)
  writeFileSync(image, '')
  truncateSync(image, megabytes * 1024 * 1024)
  const count = inodes === undefined ? [] : ['-N', String(inodes)]
  run('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', ...count, image)
  run('mount', '-o', 'loop', image, mountPoint)
  makeTree(data)
  const service = makeService(directory, data)
  return {
    directory,
    mountPoint,
    data,
    state: path.join(directory, 'state'),
    service,
    snapshot: () => snapshot(mountPoint),
    free() {
      const { bfree, bsize, ffree } = statfsSync(mountPoint)
      return { bytes: bfree * bsize, inodes: ffree }
    },
    remove() {
      run(service.stop)
      // a test that failed may have left it frozen, which nobody could thaw once it is unmounted
      spawnSync('fsfreeze', ['--unfreeze', mountPoint])
      run('umount', '--lazy', mountPoint)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Its environment is empty: a test looks for what its drills have started, by what is in that. */
function makeService(directory: string, data: string): Ground['service'] {
  const file = (name: string, lines: readonly string[]) => {
    const script = path.join(directory, name)
    const begin = ['#!/bin/sh', `cd ${directory}`, 'exec 8> lock', 'flock 8']
    writeFileSync(script, [...begin, ...lines, ''].join('\n'), { mode: 0o755 })
    return script
  }
  return {
    stop: file('stop', ['test -e pid || exit 0', 'kill -KILL $(cat pid) 2> /dev/null', 'rm pid']),
    start: file('start', [
      'test -e pid && kill -0 $(cat pid) 2> /dev/null && exit 0',
      `env -i setsid sleep 100000 8>&- 9>> ${data}/main.db > /dev/null 2>&1 < /dev/null &`,
      'echo $! > pid',
    ]),
  }
}

/** Names that are no text, modes with every bit, links, an ACL, attributes. */
function makeTree(data: string): void {
  mkdirSync(path.join(data, 'wal'), { recursive: true })
  const file = (name: string | Buffer, mode: number, owner = NOBODY) => {
    const full =
      typeof name === 'string' ? path.join(data, name) : Buffer.concat([Buffer.from(`${data}/`), name])
    writeFileSync(full, `content of ${name.toString('latin1')}`)
    chownSync(full, owner, owner)
    chmodSync(full, mode)
  }
  file('main.db', 0o640)
  file('wal/000001.log', 0o666)
  file('wal/read-only', 0o444)
  file('nobody-may', 0o000)
  file('set-ids', 0o6775, 0)
  file('new\nline and "quotes" \\', 0o664)
  file(Buffer.from([0x66, 0xff, 0xfe, 0x80]), 0o600)
  file('größe-漢', 0o622)
  file('with-acl', 0o664)
  file('immutable', 0o644)
  symlinkSync('/etc/passwd', path.join(data, 'link'))
  symlinkSync('/etc', path.join(data, 'wal/directory-link'))
  linkSync(path.join(data, 'main.db'), path.join(data, 'second-name'))
  run('mkfifo', path.join(data, 'fifo'))
  run('python3', '-c', SET_XATTRS, path.join(data, 'with-acl'))
  run('chattr', '+i', path.join(data, 'immutable'))
  chmodSync(path.join(data, 'wal'), 0o3775)
  for (const directory of [data, path.join(data, 'wal')]) chownSync(directory, NOBODY, NOBODY)
}

/** An ACL as the kernel stores it (acl(5)): owner rw, user 1000 rwx, group r, mask rw, others r. And one of a user. */
const SET_XATTRS = `
import os, struct, sys
entries = [(1, 6, -1), (2, 7, 1000), (4, 4, -1), (16, 6, -1), (32, 4, -1)]
acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', tag, perm, id & 0xffffffff) for tag, perm, id in entries)
os.setxattr(sys.argv[1], 'system.posix_acl_access', acl)
os.setxattr(sys.argv[1], 'user.note', b'kept')
`

/** Type, mode, owner, size, content, extended attributes and inode flags of everything below a directory. */
const SNAPSHOT = `
import os, sys, stat, json, hashlib, fcntl, struct
found = {}
def look(path):
    s = os.lstat(path)
    facts = [oct(s.st_mode), s.st_uid, s.st_gid, s.st_nlink, s.st_ino]
    if not stat.S_ISDIR(s.st_mode): facts.append(s.st_size)
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        facts.append(name + '=' + os.getxattr(path, name, follow_symlinks=False).hex())
    if stat.S_ISREG(s.st_mode) or stat.S_ISDIR(s.st_mode):
        fd = os.open(path, os.O_RDONLY)
        facts.append(hex(struct.unpack('I', fcntl.ioctl(fd, 0x80086601, b'\\0' * 8)[:4])[0]))
        if stat.S_ISREG(s.st_mode): facts.append(hashlib.sha256(os.read(fd, 1 << 20)).hexdigest())
        os.close(fd)
    if stat.S_ISLNK(s.st_mode): facts.append(os.fsdecode(os.readlink(path)))
    found[path.decode('latin1')] = ' '.join(map(str, facts))
    if stat.S_ISDIR(s.st_mode):
        for name in sorted(os.listdir(path)): look(os.path.join(path, name))
look(os.fsencode(sys.argv[1]))
print(json.dumps(found))
`

function snapshot(root: string): Record<string, string> {
  const tree = JSON.parse(run('python3', '-c', SNAPSHOT, root))
  const mounted = run('cat', '/proc/self/mountinfo')
    .split('\n')
    .filter((line) => line.includes(root))
  return { ...tree, mounts: mounted.join('\n') }
}

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28 })
}
