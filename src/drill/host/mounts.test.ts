import { expect, test } from 'vitest'
import { mountOf, parseMounts } from './mounts.js'

const TEXT = `21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 8:17 / /srv/my\\040data rw,nosuid shared:9 master:1 - xfs /dev/sdb1 rw,attr2
31 30 8:17 /sub /srv/my\\040data/bind ro - xfs /dev/sdb1 rw
32 30 0:44 / /srv/my\\040data rw - tmpfs tmpfs rw
`
const all = parseMounts(TEXT)

test('reads ids, devices, roots, escaped points and options', () => {
  expect(all[1]).toEqual({
    id: 30,
    parent: 21,
    device: '8:17',
    root: '/',
    point: '/srv/my data',
    options: ['rw', 'nosuid'],
    type: 'xfs',
    source: '/dev/sdb1',
    superOptions: ['rw', 'attr2'],
  })
  expect(all[2]).toMatchObject({ root: '/sub', options: ['ro'] })
})

test.each([
  ['/', 21],
  ['/etc', 21],
  ['/srv/my', 21],
  ['/srv/my data', 32],
  ['/srv/my data/x', 32],
  ['/srv/my database', 21],
  ['/srv/my data/bind/x', 32],
])('%s lies on the mount that is on top there', (path, id) => {
  expect(mountOf(path, all)?.id).toBe(id)
})

test.each([
  ['over the directory above', '40 21 0:50 / /srv rw - fuse.hung hung rw', 40],
  ['over the root of its file system', '40 30 0:50 / /srv/data rw - fuse.hung hung rw', 40],
  ['in another directory', '40 21 0:50 / /srv/dat rw - fuse.hung hung rw', 30],
  ['upon what hides it', '40 21 0:50 / /srv rw - tmpfs t rw\n41 40 0:51 / /srv/data rw - tmpfs t rw', 41],
  ['beneath what hides it', '40 30 8:17 /a /srv/data/a rw - xfs x rw\n41 21 0:50 / /srv rw - tmpfs t rw', 41],
])('a mount point hidden by what was mounted later: %s', (_, later, id) => {
  const text = `21 21 8:1 / / rw - ext4 /dev/sda1 rw\n30 21 8:17 / /srv/data rw - xfs /dev/sdb1 rw\n${later}\n`
  expect(mountOf('/srv/data/a', parseMounts(text))?.id).toBe(id)
})

test('where the root is no mount of its own, a place lies on the mount that is nearest', () => {
  const text = '30 7 8:17 / /srv rw - xfs /dev/sdb1 rw\n31 30 8:18 / /srv/data rw - xfs /dev/sdc1 rw\n'
  const all = parseMounts(text)
  expect(['/srv/data/a', '/srv/a', '/etc'].map((each) => mountOf(each, all)?.id)).toEqual([31, 30, undefined])
})
