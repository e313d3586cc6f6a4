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

const dir = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'bench-'))
const megabytes = Number(process.argv[3] ?? 500)
const ROUNDS = 5
const APPENDS = 1000
const value = Buffer.alloc(100, 'v')

try {
  if (process.argv[4] === 'memory') await memory()
  else {
    await appends()
    await recovery()
    const script = fileURLToPath(import.meta.url)
    process.stdout.write(execFileSync(process.execPath, ['--expose-gc', script, dir, '0', 'memory']))
  }
} finally {
  rmSync(dir, { recursive: true })
}

/** Rounds take turns, so that a busy moment of the disk hits all alike; the median counts. */
async function appends() {
  const rates = { bare: [], one: [], many: [] }
  for (let round = 0; round < ROUNDS; round++) {
    rates.bare.push(bareAppends(join(dir, `bare-${round}`)))
    rates.one.push(await storeAppends(join(dir, `one-${round}`), 1))
    rates.many.push(await storeAppends(join(dir, `many-${round}`), 64))
  }
  const [bare, one, many] = [median(rates.bare), median(rates.one), median(rates.many)]
  report('write + fdatasync, bare loop', `${bare.toFixed(0)}/s`)
  report('durable put, one writer', `${one.toFixed(0)}/s`, one / bare, 'of the bare loop')
  report('durable put, 64 writers', `${many.toFixed(0)}/s`, many / one, 'of one writer')
}

/** As many bytes as a put of the same value appends. */
function bareAppends(path) {
  const bytes = Buffer.alloc(152, 'v')
  const fd = openSync(path, 'w')
  const seconds = time(() => {
    for (let i = 0; i < APPENDS; i++) {
      writeSync(fd, bytes, 0, bytes.length, i * bytes.length)
      fdatasyncSync(fd)
    }
  })
  closeSync(fd)
  return APPENDS / seconds
}

async function storeAppends(path, writers) {
  const store = await Store.open(path, { reserveSize: 0 })
  const count = writers === 1 ? APPENDS : APPENDS * 16
  const seconds = await timeAsync(() =>
    Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        for (let i = writer; i < count; i += writers)
          await store.put(`key-${String(i).padStart(9, '0')}`, value)
      }),
    ),
  )
  await store.close()
  return count / seconds
}

async function recovery() {
  for (const size of [1000, 4096]) await recoveryOf(size)
}

async function recoveryOf(size) {
  const path = join(dir, `recovery-${size}`)
  const store = await Store.open(path, { reserveSize: 0 })
  const large = Buffer.alloc(size, 'v')
  const count = (megabytes * 1_000_000) / (size + 30)
  for (let i = 0; i < count; i += 1000) {
    const puts = []
    for (let j = i; j < i + 1000; j++) puts.push(store.put(`key-${String(j).padStart(9, '0')}`, large))
    await Promise.all(puts)
  }
  const { bytes } = store.stats()
  await store.close()
  const floors = []
  const opens = []
  for (let round = 0; round < ROUNDS; round++) {
    floors.push(time(() => checksumFiles(path)))
    opens.push(
      await timeAsync(async () => {
        const opened = await Store.open(path, { readOnly: true })
        await opened.close()
      }),
    )
  }
  rmSync(path, { recursive: true })
  const rate = (seconds) => `${(bytes / 1_000_000 / seconds).toFixed(0)} MB/s`
  report(`read + CRC-32C, values of ${size}`, rate(median(floors)))
  report(`recovery, values of ${size}`, rate(median(opens)), median(floors) / median(opens), 'of that')
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

/** In a process of its own, with a heap that nothing else has touched. */
async function memory() {
  const keys = 500_000
  const path = join(dir, 'memory')
  const store = await Store.open(path, { reserveSize: 0 })
  for (let i = 0; i < keys; i += 1000) {
    const puts = []
    for (let j = i; j < i + 1000; j++) puts.push(['put', `key-${String(j).padStart(9, '0')}`, 'v'])
    await store.batch(puts)
  }
  await store.close()
  const before = used()
  const opened = await Store.open(path)
  const perKey = (used() - before) / keys
  report('memory a key of 13 bytes', `${perKey.toFixed(0)} bytes`)
  await opened.close()
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

function median(list) {
  return list.toSorted((a, b) => a - b)[list.length >> 1]
}

function report(what, figure, ratio, of) {
  const comparison = ratio === undefined ? '' : `   ${ratio.toFixed(2)}x ${of}`
  process.stdout.write(`${what.padEnd(32)}${figure.padStart(14)}${comparison}\n`)
}
