/** Writes to a store without rest, with rotations and compactions, until it is killed. */
import { Store } from '../../lightning/index.js'

const [, , dir] = process.argv as [string, string, string]
const store = await Store.open(dir, { segmentSize: 512 * 1024, reserveSize: 0 })
for (let i = 0; i < 10; i++) await store.put(`old${i}`, `${i}`.repeat(100_000))
process.stdout.write('open\n')
for (let i = 1; ; i++) {
  await store.put('last', `${i} `.padEnd(i % 900, 'x'))
  if (i % 100 === 0) await store.compact()
}
