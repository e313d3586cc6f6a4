/**
 * The bundled database against the floor, side by side from one run. Build first: npm run build.
 *
 *     node bench/lightning.js [DIR] [MEGABYTES of log to recover; 500]
 */
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32c } from '../dist/lightning/crc32c.js'
import { Store } from '../dist/lightning/index.js'
import { median, ratio, row } from './figures.js'

const [, , parent = tmpdir(), megabytes = '500', part] = process.argv
const dir = mkdtempSync(join(parent, 'bench-'))
const ROUNDS = 60
const APPENDS = 300
/** A put of 100 bytes under a key of 13 appends as much. */
const FRAME = 152
const value = Buffer.alloc(100, 'v')

try {
  if (part === 'memory') {
    await memory()
  } else {
    await appends()
    for (const size of [1000, 4096]) await recovery(size)
    const again = [fileURLToPath(import.meta.url), dir, '0', 'memory']
    process.stdout.write(execFileSync(process.execPath, ['--expose-gc', ...again]))
  }
} finally {
  rmSync(dir, { recursive: true })
}

/** Rounds take turns and each gives a ratio of its own, so that a busy moment of the disk hits both sides. */
async function appends() {
  const rates = { bare: [], one: [], many: [] }
  // The first round warms the compiler up.
  for (let round = 0; round <= ROUNDS; round++) {
    const bare = bareAppends(join(dir, `bare-${round}`))
    const one = await storeAppends(join(dir, `one-${round}`), 1)
    const many = await storeAppends(join(dir, `many-${round}`), 64)
    if (round === 0) continue
    rates.bare.push(bare)
    rates.one.push(one)
    rates.many.push(many)
  }
  const { bare, one, many } = rates
  row('write + fdatasync, a bare loop', perSecond(bare))
  row('durable put, one writer', perSecond(one))
  row('durable put, 64 writers', perSecond(many))
  ratio('one writer to the bare loop', quotients(one, bare), '>= 0.9')
  ratio('64 writers to one', quotients(many, one), '>= 10')
}

function bareAppends(path) {
  const bytes = Buffer.alloc(FRAME, 'v')
  const fd = openSync(path, 'w')
  const seconds = time(() => {
    for (let i = 0; i < APPENDS; i++) {
      writeSync(fd, bytes, 0, FRAME, i * FRAME)
      fdatasyncSync(fd)
    }
  })
  closeSync(fd)
  return APPENDS / seconds
}

async function storeAppends(path, writers) {
  const store = await Store.open(path, { reserveSize: 0 })
  const count = writers === 1 ? APPENDS : APPENDS * 16
  // the first put makes the first segment, as open() makes the file of the bare loop
  await store.put(keyOf(0), value)
  const seconds = await timeAsync(() =>
    Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        for (let i = writer; i < count; i += writers) await store.put(keyOf(i), value)
      }),
    ),
  )
  await store.close()
  return count / seconds
}

async function recovery(size) {
  const path = join(dir, `recovery-${size}`)
  const store = await Store.open(path, { reserveSize: 0 })
  const large = Buffer.alloc(size, 'v')
  const count = (Number(megabytes) * 1_000_000) / size
  for (let i = 0; i < count; i += 1000) {
    await Promise.all(Array.from({ length: 1000 }, (_, j) => store.put(keyOf(i + j), large)))
  }
  const { bytes } = store.stats()
  await store.close()
  const floors = []
  const opens = []
  for (let round = 0; round < 5; round++) {
    floors.push(bytes / 1_000_000 / time(() => checksumFiles(path)))
    opens.push(bytes / 1_000_000 / (await timeAsync(() => openAndClose(path))))
  }
  rmSync(path, { recursive: true })
  row(`read + CRC-32C of a log, values of ${size} bytes`, `${median(floors).toFixed(0)} MB/s`)
  row(`recovery of that log`, `${median(opens).toFixed(0)} MB/s`)
  ratio('recovery to read + CRC-32C', quotients(opens, floors), '>= 0.7')
}

async function openAndClose(path) {
  const store = await Store.open(path, { readOnly: true })
  await store.close()
}

function checksumFiles(path) {
  const chunk = Buffer.allocUnsafeSlow(256 * 1024)
  for (const name of readdirSync(path).filter((name) => name.endsWith('.log'))) {
    const fd = openSync(join(path, name), 'r')
    for (let crc = 0, count = 1; count > 0; ) {
      count = readSync(fd, chunk, 0, chunk.length, null)
      crc = crc32c(chunk, 0, count, crc)
    }
    closeSync(fd)
  }
}

/** In a process of its own, whose heap nothing else has touched. */
async function memory() {
  const keys = 500_000
  const path = join(dir, 'memory')
  const store = await Store.open(path, { reserveSize: 0 })
  for (let i = 0; i < keys; i += 1000) {
    await store.batch(Array.from({ length: 1000 }, (_, j) => ['put', keyOf(i + j), 'v']))
  }
  await store.close()
  const before = used()
  const opened = await Store.open(path)
  row('memory for a key of 13 bytes', `${((used() - before) / keys).toFixed(0)} bytes`)
  await opened.close()
}

function keyOf(i) {
  return `key-${String(i).padStart(9, '0')}`
}

function used() {
  globalThis.gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

function time(work) {
  const start = performance.now()
  work()
  return (performance.now() - start) / 1000
}

async function timeAsync(work) {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

function quotients(over, under) {
  return over.map((rate, i) => rate / under[i])
}

function perSecond(rates) {
  return `${median(rates).toFixed(0)} a second`
}
