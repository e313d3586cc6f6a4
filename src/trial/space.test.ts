import { expect, test } from 'vitest'
import type { VolumeSpace } from '../volume/volume.js'
import type { Untimed } from './recorder.js'
import { SpaceWatch } from './space.js'

function watch(...looks: readonly (VolumeSpace | Error)[]) {
  const events: Untimed[] = []
  const left = [...looks]
  const space = async () => {
    const next = left.length > 1 ? left.shift()! : left[0]!
    if (next instanceof Error) throw next
    return next
  }
  return { events, watch: new SpaceWatch({ space }, { record: (event) => void events.push(event) }) }
}

const room = (freeBytes: number, freeInodes = 9) => ({ freeBytes, freeInodes })

test('only what has changed is written down', async () => {
  const { events, watch: watching } = watch(room(5), room(5), room(5, 8), room(0, 8))
  for (let look = 0; look < 4; look += 1) await watching.stop()
  expect(events).toEqual([
    { type: 'space', ...room(5) },
    { type: 'space', ...room(5, 8) },
    { type: 'space', ...room(0, 8) },
  ])
})

test('a volume that does not answer ends nothing', async () => {
  const { events, watch: watching } = watch(room(5), new Error('EIO'), room(4))
  await watching.start()
  await watching.stop()
  await watching.stop()
  expect(events).toEqual([
    { type: 'space', ...room(5) },
    { type: 'space', ...room(4) },
  ])
})

test('it goes on looking until it is stopped', async () => {
  const { events, watch: watching } = watch(...Array.from({ length: 100 }, (_, left) => room(left)))
  await watching.start()
  while (events.length < 3) await new Promise((resolve) => setTimeout(resolve, 1))
  await watching.stop()
  const { length } = events
  await new Promise((resolve) => setTimeout(resolve, 150))
  expect(events).toHaveLength(length)
})
