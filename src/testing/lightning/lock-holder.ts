/** `hold` keeps a store open until it is killed. `race` lets two threads reach for a lock at the same moment, often. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { LockedError, Store } from '../../lightning/index.js'
import { Lock } from '../../lightning/lock.js'

const ROUNDS = 300
const STALE = 'lock-1-1-0-00000000'

interface Race {
  readonly dir: string
  /** How many have come to, won, and left each round. */
  readonly came: Int32Array
  readonly won: Int32Array
  readonly left: Int32Array
}

/** Waits, without rest, until both threads have counted. */
function meet(counts: Int32Array, round: number): void {
  Atomics.add(counts, round, 1)
  while (Atomics.load(counts, round) < 2);
}

function race({ dir, came, won, left }: Race): void {
  for (let round = 0; round < ROUNDS; round++) {
    meet(came, round)
    let lock: Lock | undefined
    try {
      lock = Lock.acquire(join(dir, String(round)))
      Atomics.add(won, round, 1)
    } catch (error) {
      assert(error instanceof LockedError, String(error))
    }
    meet(left, round)
    lock?.release()
  }
}

async function startRace(dir: string, whose: string): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    fs.mkdirSync(join(dir, String(round)))
    if (whose === 'a dead process') fs.writeFileSync(join(dir, String(round), STALE), '')
  }
  const counts = () => new Int32Array(new SharedArrayBuffer(ROUNDS * 4))
  const data: Race = { dir, came: counts(), won: counts(), left: counts() }
  const racers = [1, 2].map(() => new Worker(fileURLToPath(import.meta.url), { workerData: data }))
  await Promise.all(racers.map((racer) => new Promise((resolve) => racer.once('exit', resolve))))
  assert.deepEqual([...data.won], Array(ROUNDS).fill(1))
}

async function hold(dir: string): Promise<void> {
  const store = await Store.open(dir)
  await store.put('k', 'v')
  process.stdout.write('open\n')
  setInterval(() => {}, 60_000)
}

if (isMainThread) {
  const [, , chapter, dir, whose] = process.argv as [string, string, string, string, string]
  await (chapter === 'hold' ? hold(dir) : startRace(dir, whose))
} else {
  race(workerData)
}
