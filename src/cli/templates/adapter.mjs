#!/usr/bin/env node
/**
 * Drives a database for lightning-chaos: requests are lines of JSON on stdin, answers are lines of JSON on stdout. The
 * protocol is in docs/target-protocol.md of lightning-chaos.
 *
 * Between the two rules stands a small append-only log, so that all of this works from the start. Put calls of your own
 * database in its place, and hand on the errors that it gives: one that you make up hides what you are looking for.
 */
import fs from 'node:fs'
import { constants } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { crc32 } from 'node:zlib'

// ----------------------------------------------------------------------------------------------------------------

const table = new Map()
let file
/** The log, open for writing. */
let fd
/** Where its last whole line ends. */
let end = 0
/** After a failed fsync nobody knows what is on the disk, until it is read again. */
let syncFailed = false

function open(dir) {
  close()
  file = path.join(dir, 'log')
  syncFailed = false
  try {
    becomeWriter()
    return 'read-write'
  } catch (error) {
    if (!['disk-full', 'quota', 'permission', 'read-only'].includes(kindOf(error)) || !fs.existsSync(file))
      throw error
    load()
    return 'read-only'
  }
}

function becomeWriter() {
  if (fd !== undefined) return
  const opened = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT)
  try {
    syncDirectory(path.dirname(file))
    load()
  } catch (error) {
    fs.closeSync(opened)
    throw error
  }
  fd = opened
}

/** The name of a new file has to survive, too. */
function syncDirectory(directory) {
  const opened = fs.openSync(directory, 'r')
  try {
    fs.fsyncSync(opened)
  } finally {
    fs.closeSync(opened)
  }
}

/** What follows the last whole line is half of a write that was never acked; what comes before one is damage. */
function load() {
  const bytes = fs.readFileSync(file)
  table.clear()
  end = 0
  let start = 0
  for (let next = bytes.indexOf('\n'); next >= 0; next = bytes.indexOf('\n', start)) {
    const changes = decode(bytes.subarray(start, next).toString())
    if (changes !== undefined && start > end)
      throw Object.assign(new Error(`${file} is damaged at byte ${end}`), { kind: 'corruption' })
    start = next + 1
    if (changes === undefined) continue
    apply(changes)
    end = start
  }
}

/** A line is a checksum, a space, and a list of changes: [key, value], or [key, null] for a delete. */
function encode(changes) {
  const text = JSON.stringify(changes)
  return Buffer.from(`${crc32(text)} ${text}\n`)
}

function decode(line) {
  const space = line.indexOf(' ')
  const text = line.slice(space + 1)
  return line.slice(0, space) === String(crc32(text)) ? JSON.parse(text) : undefined
}

/** All of the changes or none: on the disk first, then in the table. */
function write(changes) {
  if (syncFailed) throw Object.assign(new Error('an fsync failed before'), { kind: 'io' })
  becomeWriter()
  cut()
  const line = encode(changes)
  try {
    for (let done = 0; done < line.length; )
      done += fs.writeSync(fd, line, done, line.length - done, end + done)
  } catch (error) {
    tryToCut()
    throw error
  }
  try {
    fs.fsyncSync(fd)
  } catch (error) {
    syncFailed = true
    tryToCut()
    throw Object.assign(error, { kind: 'io' })
  }
  end += line.length
  apply(changes)
}

/** Takes away what lies behind the last whole line: a write that was refused may not come back. */
function cut() {
  if (fs.fstatSync(fd).size > end) fs.ftruncateSync(fd, end)
}

function tryToCut() {
  try {
    cut()
  } catch {
    // even that may need room; the next write cuts first
  }
}

function apply(changes) {
  for (const [key, value] of changes) {
    if (value === null) table.delete(key)
    else table.set(key, value)
  }
}

/** In the order of the keys' UTF-8 bytes, which is not that of JavaScript. */
function scan(after, limit) {
  const compare = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))
  const keys = [...table.keys()].sort(compare)
  const wanted = after === undefined ? keys : keys.filter((key) => compare(key, after) > 0)
  return wanted.slice(0, limit).map((key) => [key, table.get(key)])
}

function close() {
  if (fd !== undefined) fs.closeSync(fd)
  fd = undefined
}

const { errno } = constants
const KINDS = new Map([
  [errno.ENOSPC, 'disk-full'],
  [errno.EFBIG, 'disk-full'],
  [errno.EDQUOT, 'quota'],
  [errno.EACCES, 'permission'],
  [errno.EPERM, 'permission'],
  [errno.EROFS, 'read-only'],
  [errno.EMFILE, 'too-many-files'],
  [errno.ENFILE, 'too-many-files'],
  [errno.EIO, 'io'],
])

function kindOf(error) {
  return error.kind ?? KINDS.get(-error.errno) ?? 'internal'
}

// ----------------------------------------------------------------------------------------------------------------

/** What `hello` lists beside put, get and scan is asked for; leave out what your database cannot do. */
const operations = {
  hello: () => ({
    protocol: 1,
    name: 'my-database',
    version: '1.0',
    ops: ['put', 'get', 'scan', 'delete', 'batch'],
  }),
  open: ({ dir }) => ({ mode: open(dir) }),
  // ok means acked: durable, whatever happens next
  put: ({ key, value }) => write([[key, value]]),
  get: ({ key }) => ({ value: table.get(key) ?? null }),
  scan: ({ after, limit }) => ({ entries: scan(after, limit) }),
  delete: ({ key }) => write([[key, null]]),
  batch: ({ ops }) => write(ops.map(([, key, value = null]) => [key, value])),
  close: () => close(),
}

function answer({ op, ...request }) {
  if (!Object.hasOwn(operations, op)) {
    const error = {
      code: 'UNSUPPORTED',
      kind: 'unsupported',
      recoverable: false,
      message: `unknown operation ${op}`,
    }
    return { ok: false, error }
  }
  try {
    return { ok: true, ...operations[op](request) }
  } catch (error) {
    const kind = kindOf(error)
    const code = error.code ?? 'INTERNAL'
    return {
      ok: false,
      error: { code, kind, recoverable: !['internal', 'corruption'].includes(kind), message: error.message },
    }
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, ...request } = JSON.parse(line)
  process.stdout.write(`${JSON.stringify({ id, ...answer(request) })}\n`)
})
