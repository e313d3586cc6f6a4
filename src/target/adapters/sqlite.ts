/**
 * SQLite as a target, by node:sqlite or better-sqlite3: the argument is 'node:sqlite', or the path of the latter.
 *
 * WAL and synchronous=FULL: https://www.sqlite.org/pragma.html#pragma_synchronous says that a commit then survives a
 * loss of power. Result codes: https://www.sqlite.org/rescode.html
 */
import { accessSync, constants, existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { ErrorKind, OpenMode, TargetError } from '../protocol.js'
import { serve } from './serve.js'

/** What both drivers have in common. */
interface Database {
  exec(sql: string): void
  prepare(sql: string): Statement
  close(): void
}

interface Statement {
  run(...values: readonly string[]): unknown
  get(...values: readonly string[]): Row | undefined
  all(...values: readonly (string | number)[]): Row[]
}

type Row = Readonly<Record<string, unknown>>

type Connect = (file: string, readOnly: boolean) => Database

const BUSY_MS = 2000

/** By the name of the primary code, which starts the names of its extended codes, and by its number. */
const CODES: readonly (readonly [name: string, number: number, kind: ErrorKind])[] = [
  ['SQLITE_PERM', 3, 'permission'],
  ['SQLITE_BUSY', 5, 'busy'],
  ['SQLITE_LOCKED', 6, 'busy'],
  ['SQLITE_NOMEM', 7, 'out-of-memory'],
  ['SQLITE_READONLY', 8, 'read-only'],
  ['SQLITE_IOERR', 10, 'io'],
  ['SQLITE_CORRUPT', 11, 'corruption'],
  ['SQLITE_FULL', 13, 'disk-full'],
  ['SQLITE_CANTOPEN', 14, 'permission'],
  ['SQLITE_AUTH', 23, 'permission'],
  ['SQLITE_NOTADB', 26, 'corruption'],
]
const SHMSIZE = { name: 'SQLITE_IOERR_SHMSIZE', number: 4874 }
const WRITES: ReadonlySet<string> = new Set(['put', 'delete', 'batch'])
const UNRECOVERABLE: ReadonlySet<ErrorKind> = new Set(['corruption', 'internal'])

/** The error of either driver: better-sqlite3 gives a name in `code`, node:sqlite a number in `errcode`. */
interface DriverError extends Error {
  readonly code?: string
  readonly errcode?: number
}

class Busy extends Error {
  readonly code = 'SQLITE_BUSY'
}

function errorOf(thrown: unknown, op: string): TargetError {
  const { code = '', errcode = 0, message } = thrown as DriverError
  const [name, , kind] = CODES.find(
    ([name, number]) => code.startsWith(name) || (errcode & 0xff) === number,
  ) ?? [code || 'ERROR', 0, 'internal' as const]
  const told = { code: code.startsWith(name) ? code : name, message }
  // "May indicate that the underlying filesystem volume is out of space", says rescode.html. While a write commits
  // it is unknown what it means for that write: its frames are in the log already.
  if ((code === SHMSIZE.name || errcode === SHMSIZE.number) && !WRITES.has(op)) {
    return { ...told, code: SHMSIZE.name, kind: 'disk-full', recoverable: true }
  }
  return { ...told, kind, recoverable: !UNRECOVERABLE.has(kind) }
}

/** The statements of an open store. */
function statements(db: Database) {
  return {
    put: db.prepare(
      'INSERT INTO kv(key, value) VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value',
    ),
    delete: db.prepare('DELETE FROM kv WHERE key = ?'),
    get: db.prepare('SELECT value FROM kv WHERE key = ?'),
    first: db.prepare('SELECT key, value FROM kv ORDER BY key LIMIT ?'),
    next: db.prepare('SELECT key, value FROM kv WHERE key > ? ORDER BY key LIMIT ?'),
  }
}

interface Store {
  readonly db: Database
  readonly run: ReturnType<typeof statements>
}

function openWritable(connect: Connect, file: string): Store {
  return opened(connect(file, false), (db) => {
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
    // The index of the WAL is then in the heap. In shared memory, which is a mapped file, SQLite dies of SIGBUS where a
    // page of it can't be written: a full btrfs, a quota, chattr +i. One process has the database open anyway.
    db.exec('PRAGMA locking_mode = EXCLUSIVE')
    db.exec('PRAGMA journal_mode = WAL')
    db.exec('PRAGMA synchronous = FULL')
    db.exec('CREATE TABLE IF NOT EXISTS kv(key TEXT PRIMARY KEY, value TEXT NOT NULL)')
    // SQLite opens a file that it may not write without a word; a write that changes nothing asks it.
    db.exec('DELETE FROM kv WHERE 0')
  })
}

/** Read-write where the files may be written, else read-only where they may at least be read. */
function open(connect: Connect, file: string): { store: Store; mode: OpenMode } {
  // In exclusive mode SQLite locks for writing, which on a file that it could open for reading only is an I/O error.
  if (existsSync(file) && !isWritable(file)) return { store: openReadOnly(connect, file), mode: 'read-only' }
  try {
    return { store: openWritable(connect, file), mode: 'read-write' }
  } catch (error) {
    const { kind } = errorOf(error, 'open')
    if (kind !== 'permission' && kind !== 'read-only') throw error
    try {
      return { store: openReadOnly(connect, file), mode: 'read-only' }
    } catch {
      // What kept it from writing came first, and says more.
      throw error
    }
  }
}

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK)
    return true
  } catch {
    return false // whatever the reason is, it may at least be read
  }
}

function openReadOnly(connect: Connect, file: string): Store {
  return opened(connect(file, true), (db) => {
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
    db.prepare('SELECT key FROM kv LIMIT 1').get()
  })
}

function opened(db: Database, prepare: (db: Database) => void): Store {
  try {
    prepare(db)
    return { db, run: statements(db) }
  } catch (error) {
    db.close()
    throw error
  }
}

function driver(name: string): Connect {
  const module = createRequire(import.meta.url)(name)
  return name === 'node:sqlite'
    ? (file, readOnly) => new module.DatabaseSync(file, { readOnly })
    : (file, readOnly) => new module(file, { readonly: readOnly })
}

function main(connect: Connect): void {
  let store: Store | undefined
  const current = (): Store => {
    if (store === undefined) throw new Error('no directory is open')
    return store
  }
  const batch = (writes: readonly (readonly string[])[]): void => {
    const { db, run } = current()
    db.exec('BEGIN IMMEDIATE')
    try {
      for (const [verb, ...values] of writes) (verb === 'put' ? run.put : run.delete).run(...values)
      db.exec('COMMIT')
    } catch (error) {
      try {
        db.exec('ROLLBACK')
      } catch {
        // Some errors have rolled back by themselves: https://www.sqlite.org/lang_transaction.html
      }
      throw error
    }
  }
  serve(
    {
      hello: () => ({
        protocol: 1,
        name: 'sqlite',
        version: connect(':memory:', false).prepare('SELECT sqlite_version() AS version').get()?.version,
        ops: ['put', 'get', 'delete', 'batch', 'scan', 'sync', 'compact'],
      }),
      open: ({ dir }) => {
        const opened = open(connect, join(dir, 'kv.db'))
        store = opened.store
        return { mode: opened.mode }
      },
      put: ({ key, value }) => {
        current().run.put.run(key, value)
        return {}
      },
      delete: ({ key }) => {
        current().run.delete.run(key)
        return {}
      },
      batch: ({ ops }) => {
        batch(ops)
        return {}
      },
      get: ({ key }) => ({ value: current().run.get.get(key)?.value ?? null }),
      scan: ({ after, limit }) => {
        const { run } = current()
        const rows = after === undefined ? run.first.all(limit) : run.next.all(after, limit)
        return { entries: rows.map(({ key, value }) => [key, value]) }
      },
      // Nothing is left to do: each commit was synced before it was acked.
      sync: () => ({}),
      compact: () => {
        const result = current().db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()
        if (result?.busy !== 0) throw new Busy('another connection is reading')
        return {}
      },
      close: () => {
        store?.db.close()
        store = undefined
        return {}
      },
    },
    errorOf,
  )
}

main(driver(process.argv[2] ?? 'node:sqlite'))
