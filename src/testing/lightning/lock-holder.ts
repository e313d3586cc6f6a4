/** Opens a store. `hold`: until it is killed. `race`: at a given time, then tells whether it won. */
import { existsSync } from 'node:fs'
import { LockedError, Store } from '../../lightning/index.js'

const [, , chapter, dir, ...rest] = process.argv as [string, string, string, string, ...string[]]

if (chapter === 'hold') {
  const store = await Store.open(dir)
  await store.put('k', 'v')
  process.stdout.write('open\n')
  setInterval(() => {}, 60_000)
} else {
  const [gate] = rest as [string]
  process.stdout.write('ready\n')
  const clock = new Int32Array(new SharedArrayBuffer(4))
  while (!existsSync(gate)) Atomics.wait(clock, 0, 0, 1)
  const outcome = await Store.open(dir).catch((error: unknown) => error)
  if (outcome instanceof Store) {
    process.stdout.write('won\n')
    // Holds on until the others have tried.
    process.stdin.resume()
    process.stdin.on('end', () => void outcome.close())
  } else {
    if (!(outcome instanceof LockedError)) throw outcome
    process.stdout.write('lost\n')
  }
}
