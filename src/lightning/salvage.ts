import fs from 'node:fs'
import { UsageError } from './errors.js'
import { ENTRY_HEAD, keyFromBinary, visitEntries, visitWholeEntries } from './format.js'
import { type BatchWrite, type OpenOptions, Store } from './store.js'
import { readPastDamage, type Verification } from './verify.js'

export interface Salvaged extends Verification {
  /** Writes that were kept, those that later ones replaced included. */
  readonly writes: number
}

/**
 * Copies all that is whole from a damaged store into a new one. In a damaged commit, the entries whose own checksum
 * is right are kept, so a batch may come over in part; and where a delete or a newer value was lost, the older
 * value is back. `damage` says where to look.
 * @param to a directory that is empty or not there yet
 * @throws UsageError where `to` holds something
 */
export async function salvage(from: string, to: string, options: OpenOptions = {}): Promise<Salvaged> {
  if (fs.existsSync(to) && fs.readdirSync(to).length > 0) {
    throw new UsageError('ENOTEMPTY', `${to} is not empty`)
  }
  const target = await Store.open(to, options)
  const pending: Promise<void>[] = []
  let writes = 0
  const keep = (operations: readonly BatchWrite[]): void => {
    writes += operations.length
    const done = target.batch(operations)
    // All are awaited below; one that fails before that must not count as unhandled.
    done.catch(() => {})
    pending.push(done)
  }
  try {
    const verification = await readPastDamage(from, {
      whole: (bytes, at) => keep(collect(bytes, (visit) => visitEntries(bytes, at, visit))),
      damaged: (bytes) => keep(collect(bytes, (visit) => visitWholeEntries(bytes, visit))),
    })
    await Promise.all(pending)
    return { ...verification, writes }
  } finally {
    await target.close()
  }
}

function collect(bytes: Buffer, each: (visit: Parameters<typeof visitEntries>[2]) => void): BatchWrite[] {
  const writes: BatchWrite[] = []
  each((binary, isPut, at, length) => {
    const key = keyFromBinary(binary)
    if (!isPut) writes.push(['delete', key])
    else writes.push(['put', key, Buffer.from(bytes.subarray(at + ENTRY_HEAD + binary.length, at + length))])
  })
  return writes
}
