/**
 * Durable appends of the bundled database and of others, side by side on one file system. Those whose package is not
 * there are left out, by name: npm install --no-save classic-level lmdb @seald-io/nedb
 *
 *     node bench/databases.js [DIR]
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Store } from '../dist/lightning/index.js'
import { median, ratio, row } from './figures.js'

const ROUNDS = 5
const COUNT = 1000
const value = 'v'.repeat(100)
const keyOf = (i) => `key-${String(i).padStart(9, '0')}`
const parent = mkdtempSync(path.join(process.argv[2] ?? tmpdir(), 'bench-'))

/** SQLite by Python's own module: one commit an append, in WAL mode with synchronous=FULL. */
const SQLITE = `
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1] + "/kv.db", isolation_level=None)
db.execute("PRAGMA journal_mode = WAL"); db.execute("PRAGMA synchronous = FULL")
db.execute("CREATE TABLE kv(key TEXT PRIMARY KEY, value TEXT)")
count = int(sys.argv[2]); started = time.perf_counter()
for i in range(count): db.execute("INSERT INTO kv VALUES(?, ?)", ("key-%09d" % i, "v" * 100))
print(count / (time.perf_counter() - started))
`

/** Each: appends a second, in a fresh directory, by so many writers at a time. */
const databases = {
  async lightning(dir, writers) {
    const store = await Store.open(dir)
    await store.put('first', value)
    const rate = await perSecond(writers, (i) => store.put(keyOf(i), value))
    await store.close()
    return rate
  },
  /** It has one writer, whatever waits for it. */
  async 'SQLite (WAL, FULL)'(dir) {
    return Number(execFileSync('python3', ['-c', SQLITE, dir, String(COUNT)], { encoding: 'utf8' }))
  },
  async 'LevelDB (sync)'(dir, writers) {
    const { ClassicLevel } = await import('classic-level')
    const db = new ClassicLevel(dir)
    await db.open()
    const rate = await perSecond(writers, (i) => db.put(keyOf(i), value, { sync: true }))
    await db.close()
    return rate
  },
  async LMDB(dir, writers) {
    const { open } = await import('lmdb')
    const db = open({ path: dir, overlappingSync: false })
    const rate = await perSecond(writers, (i) => db.put(keyOf(i), value))
    await db.close()
    return rate
  },
  async 'NeDB (no sync at all)'(dir, writers) {
    const { default: Datastore } = await import('@seald-io/nedb')
    const db = new Datastore({ filename: path.join(dir, 'kv.db') })
    await db.loadDatabaseAsync()
    return perSecond(writers, (i) => db.insertAsync({ _id: keyOf(i), value }))
  },
}

async function perSecond(writers, append) {
  const started = performance.now()
  const write = async (_, writer) => {
    for (let i = writer; i < COUNT; i += writers) await append(i)
  }
  await Promise.all(Array.from({ length: writers }, write))
  return (COUNT / (performance.now() - started)) * 1000
}

for (const writers of [1, 64]) await compare(writers)
rmSync(parent, { recursive: true })

async function compare(writers) {
  const rates = Object.fromEntries(Object.keys(databases).map((name) => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, measure] of Object.entries(databases)) {
      const dir = mkdtempSync(path.join(parent, 'db-'))
      try {
        rates[name].push(await measure(dir, writers))
      } catch (error) {
        if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
        delete rates[name]
        delete databases[name]
        row(name, 'left out: its package is not there')
      }
    }
  }
  const by = writers === 1 ? 'one writer' : `${writers} writers`
  for (const [name, each] of Object.entries(rates))
    row(name, `${Math.round(median(each))} durable appends a second, ${by}`)
  for (const [name, each] of Object.entries(rates)) {
    if (name === 'lightning') continue
    ratio(
      `lightning against ${name}, ${by}`,
      rates.lightning.map((rate, i) => rate / each[i]),
      'above 1',
    )
  }
}
