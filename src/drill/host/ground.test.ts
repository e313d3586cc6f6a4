import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { freshPath } from '../../testing/directory.js'
import { groundOf } from './ground.js'
import { parseMounts } from './mounts.js'

test('a directory stands on its own file system', () => {
  const all = parseMounts('21 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 21 8:17 / /srv rw - xfs /dev/sdb1 rw\n')
  expect(groundOf('/srv/db', all)).toEqual({ devices: ['8:17'], unseen: [] })
})

test('an overlay stands on that of each of its layers', () => {
  const disk = freshPath()
  for (const name of ['upper', 'work', 'lower']) mkdirSync(path.join(disk, name), { recursive: true })
  const layers = `lowerdir=/:${disk}/lower,upperdir=${disk}/upper,workdir=${disk}/work`
  const all = parseMounts(
    `21 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 21 8:17 / ${disk} rw - xfs /dev/sdb1 rw\n` +
      `31 21 0:40 / /srv rw - overlay overlay rw,${layers}\n`,
  )
  const { devices, unseen } = groundOf('/srv/db', all)
  expect([...devices].sort()).toEqual(['0:40', '8:1', '8:17'])
  expect(unseen).toEqual([])
})

test('layers that have no name here are told', () => {
  const all = parseMounts(
    '21 1 0:40 / / rw - overlay overlay rw,lowerdir=/on/the/host,upperdir=/on/the/host\n',
  )
  expect(groundOf('/srv', all)).toMatchObject({ devices: ['0:40'], unseen: [{ point: '/' }] })
})
