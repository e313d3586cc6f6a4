/**
 * The bundled database as a target. Its segments are small, so that rotation and compaction happen on a
 * small volume too.
 */
import { readFileSync } from 'node:fs'
import { type BatchWrite, LightningError, Store, UsageError } from '../../lightning/index.js'
import type { TargetError } from '../protocol.js'
import { PROTOCOL_VERSION } from '../protocol.js'
import { serve } from './serve.js'

const SEGMENT_SIZE = 128 * 1024

/** Requests may be pipelined, so one may come while the store is still being opened: it waits. */
let store: Promise<Store> | undefined

function opened(): Promise<Store> {
  if (store === undefined) throw new UsageError('ENOTOPEN', 'no database is open')
  return store
}

async function close(): Promise<void> {
  const closing = store
  store = undefined
  // An open that failed left nothing to close, and was answered where it failed.
  const opened = await closing?.catch(() => undefined)
  await opened?.close()
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')).version
}

function errorOf(thrown: unknown): TargetError {
  if (thrown instanceof LightningError) {
    const { code, kind, recoverable, message } = thrown
    return { code, kind, recoverable, message }
  }
  return { code: 'INTERNAL', kind: 'internal', recoverable: false, message: String(thrown) }
}

serve(
  {
    hello: () => ({
      protocol: PROTOCOL_VERSION,
      name: 'lightning',
      version: version(),
      ops: ['put', 'get', 'delete', 'batch', 'scan', 'sync', 'compact'],
    }),
    async open({ dir }) {
      const closing = close()
      store = closing.then(() => Store.open(dir, { segmentSize: SEGMENT_SIZE }))
      const { mode } = await store
      return { mode }
    },
    async put({ key, value }) {
      await (await opened()).put(key, value)
      return {}
    },
    async get({ key }) {
      const value = await (await opened()).get(key)
      return { value: value?.toString() ?? null }
    },
    async delete({ key }) {
      await (await opened()).delete(key)
      return {}
    },
    async batch({ ops }) {
      await (await opened()).batch(ops satisfies readonly BatchWrite[])
      return {}
    },
    async scan({ after, limit }) {
      const entries = await (await opened()).scan(after === undefined ? { limit } : { after, limit })
      return { entries: entries.map(([key, value]) => [key, value.toString()]) }
    },
    async sync() {
      await (await opened()).sync()
      return {}
    },
    async compact() {
      await (await opened()).compact()
      return {}
    },
    async close() {
      await close()
      return {}
    },
  },
  errorOf,
)

process.stdin.on('end', () => void close())
