import { expect, test } from 'vitest'
import { mountOf, parseMounts } from './mounts.js'

const TEXT = `21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 8:17 / /srv/my\\040data rw,nosuid shared:9 master:1 - xfs /dev/sdb1 rw,attr2
31 30 8:17 /sub /srv/my\\040data/bind ro - xfs /dev/sdb1 rw
32 21 0:44 / /srv/my\\040data rw - tmpfs tmpfs rw
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
  ['/srv/my data/bind/x', 31],
])('%s lies on the mount that is on top there', (path, id) => {
  expect(mountOf(path, all)?.id).toBe(id)
})
