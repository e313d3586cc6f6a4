import { describe, expect, it } from 'vitest'
import { diskGroupOf, diskOf, limitIn, NO_LIMIT } from './cgroups.js'
import { parseMounts } from './mounts.js'

const V1 = parseMounts(
  '30 20 0:25 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n31 20 0:26 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n',
)
const V2 = parseMounts('30 20 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n')
const CONTAINER = parseMounts('30 20 0:25 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n')

describe('the control group that has to do with disks', () => {
  it('is that of blkio, where that controller is mounted', () => {
    const text = '9:name=systemd:/a\n7:blkio:/system.slice/db.service\n0::/b\n'
    expect(diskGroupOf(text, V1)).toEqual({
      version: 1,
      directory: '/sys/fs/cgroup/blkio/system.slice/db.service',
    })
  })

  it('is the one of version 2 else, with colons in its name', () => {
    expect(diskGroupOf('0::/system.slice/a:b\n', V2)).toEqual({
      version: 2,
      directory: '/sys/fs/cgroup/system.slice/a:b',
    })
  })

  it('lies below the mount point, of which a container sees a part', () => {
    expect(diskGroupOf('0::/docker/abc/db\n', CONTAINER)?.directory).toBe('/sys/fs/cgroup/db')
    expect(diskGroupOf('0::/docker/abc\n', CONTAINER)?.directory).toBe('/sys/fs/cgroup')
    expect(diskGroupOf('0::/docker/abcdef\n', CONTAINER)?.directory).toBe('/sys/fs/cgroup/docker/abcdef')
  })

  it('may be nowhere', () => {
    expect(diskGroupOf('0::/a\n', [])).toBeUndefined()
    expect(diskGroupOf('', V2)).toBeUndefined()
  })
})

describe('the limit of a disk', () => {
  it('is read from io.max, where other disks stand too', () => {
    const text = '8:0 rbps=1 wbps=max riops=max wiops=max\n8:16 rbps=max wbps=2 riops=max wiops=max\n'
    expect(limitIn(text, '8:16')).toBe('rbps=max wbps=2 riops=max wiops=max')
    expect(limitIn(text, '8:1')).toBe(NO_LIMIT)
  })
})

it('what is no block device has no disk', () => {
  expect(diskOf('0:9999')).toBeUndefined()
})
