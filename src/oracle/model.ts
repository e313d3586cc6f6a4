/**
 * What may be there. For each key the model keeps the writes that a read may return, and holds every read against
 * them. Memory grows with keys, not with operations.
 *
 * - A write may be there from its invoke on. Once acked, it alone may be, and what it overwrote may not; a refused
 *   one may never be. One whose outcome is unknown may be there or not, for as long as its session lasts, and until
 *   the first read after that settles it.
 * - A read with no write of its key under way settles what is there: another answer later is a contradiction, which
 *   is how a store that loses data at its second restart is caught.
 * - What a violation put there is taken as given from then on, so that one loss is reported once.
 */
import type { Event, Observed, Operation, WriteOp } from '../history/events.js'
import type { PromiseId } from '../target/contract.js'
import { Batch, type Suspicion } from './batch.js'
import type { Call, Completion } from './call.js'
import type { Circumstances } from './circumstances.js'
import { type Contradiction, KeyState, type Write } from './key-state.js'
import type { Ledger } from './ledger.js'
import { compareUtf8 } from './utf8-order.js'
import type { ViolationKind } from './violation.js'
import { batchInWords, keyInWords, operationInWords, writeInWords } from './words.js'

type Scan = Extract<Operation, { f: 'scan' }>
type Entries = readonly (readonly [key: string, value: Observed])[]

export class Model {
  readonly #seed: string
  readonly #ledger: Ledger
  readonly #circumstances: Circumstances
  readonly #keys = new Map<string, KeyState>()
  /** The keys in the order of a scan; undefined where a key has come up since. */
  #sorted: string[] | undefined
  readonly #writes = new Map<Call, readonly Write[]>()
  readonly #suspects = new Set<Batch>()

  constructor(seed: string, ledger: Ledger, circumstances: Circumstances) {
    this.#seed = seed
    this.#ledger = ledger
    this.#circumstances = circumstances
  }

  invoke(call: Call): void {
    const { op, at } = call
    const { session } = this.#circumstances
    if (op.f === 'put' || op.f === 'delete') {
      this.#writes.set(call, [this.#key(op.key).begin(op, at, session)])
    } else if (op.f === 'batch') {
      const batch = new Batch()
      for (const write of op.writes) batch.writes.push(this.#key(write.key).begin(write, at, session, batch))
      this.#writes.set(call, batch.writes)
    }
  }

  complete(call: Call, completion: Completion, at: number): void {
    const writes = this.#writes.get(call)
    if (writes !== undefined) {
      this.#writes.delete(call)
      for (const write of writes) this.#end(write, completion, at)
    } else if (completion.type === 'ok' && call.op.f === 'get') {
      this.#see(call.op.key, completion.value ?? null, call.at, at)
    } else if (completion.type === 'ok' && call.op.f === 'scan') {
      this.#scan(call.op, completion.entries ?? [], call.at, at)
    }
  }

  observe(event: Event): void {
    // Facts of one session say nothing of the next, and after a read-back there is nothing more to wait for.
    const isReadBack = event.type === 'verify' && event.action === 'end'
    if (isReadBack || event.type === 'process' || event.type === 'open') this.conclude()
  }

  /** Reports what was held back because it might have been a part of a torn batch. */
  conclude(): void {
    for (const batch of this.#suspects) this.#accuse(batch)
    this.#suspects.clear()
  }

  #key(key: string): KeyState {
    const known = this.#keys.get(key)
    if (known !== undefined) return known
    const added = new KeyState(this.#seed, key)
    this.#keys.set(key, added)
    this.#sorted = undefined
    return added
  }

  #end(write: Write, completion: Completion, at: number): void {
    const key = this.#key(write.op.key)
    if (completion.type === 'ok') key.acked(write, at, this.#circumstances.session)
    else if (completion.type === 'fail') key.refused(write, at)
    else key.unknown(write, at, 'code' in completion.error)
  }

  #see(key: string, observed: Observed, since: number, at: number): void {
    const { session } = this.#circumstances
    const { contradiction, batches } = this.#key(key).see(observed, since, at, session)
    if (contradiction !== undefined) this.#contradict(key, observed, contradiction, at)
    for (const batch of batches) this.#checkWhole(batch, at)
  }

  #scan(scan: Scan, entries: Entries, since: number, at: number): void {
    const broken = shapeOfScan(scan, entries)
    if (broken !== undefined) {
      const summary = `${operationInWords(scan)}, ${this.#when}, ${broken}`
      this.#report({ kind: 'corrupt-read', summary, at, promises: [] })
    }
    const found = new Map(entries)
    for (const [key, observed] of found) {
      if (this.#keys.has(key)) continue
      const summary = `${keyInWords(key)}: never written, and ${this.#when} a scan returned it`
      this.#report({ kind: 'phantom-write', summary, at, promises: [] })
      this.#key(key).see(observed, since, at, this.#circumstances.session)
    }
    const last = entries.length < scan.limit || broken !== undefined ? null : entries.at(-1)![0]
    for (const key of this.#range(scan.after, last)) {
      // Where the order is broken, so is the notion of what lies between: only what was returned is judged.
      if (broken === undefined || found.has(key)) this.#see(key, found.get(key) ?? null, since, at)
    }
  }

  /** The known keys greater than `after`, up to and with `last`; null: no such end. */
  *#range(after: string | null, last: string | null): Generator<string> {
    this.#sorted ??= [...this.#keys.keys()].sort(compareUtf8)
    const sorted = this.#sorted
    let low = 0
    for (let high = after === null ? 0 : sorted.length; low < high; ) {
      const middle = (low + high) >>> 1
      if (compareUtf8(sorted[middle]!, after!) <= 0) low = middle + 1
      else high = middle
    }
    for (let i = low; i < sorted.length; i++) {
      if (last !== null && compareUtf8(sorted[i]!, last) > 0) return
      yield sorted[i]!
    }
  }

  get #when(): string {
    return this.#circumstances.inWords()
  }

  #contradict(key: string, observed: Observed, contradiction: Contradiction, at: number): void {
    const { kind, blamed, summary } = classify(observed, contradiction, this.#when)
    const promises: PromiseId[] = []
    const isLoss = kind === 'lost-write' || kind === 'resurrected-delete'
    if (isLoss && contradiction.expected.session !== this.#circumstances.session)
      promises.push('durable-acks')
    // it said that it failed, and what followed was acked as if it had not happened
    const { culprit } = contradiction
    if (culprit?.outcome === 'unknown' && culprit.answered) promises.push('distrusts-failed-sync')
    const suspicion: Suspicion = { kind, summary: `${keyInWords(key)}: ${summary}`, at, promises }
    const batch = blamed?.batch
    if (batch === undefined) {
      this.#report(suspicion)
    } else {
      batch.suspicions.push(suspicion)
      this.#suspects.add(batch)
    }
  }

  #checkWhole(batch: Batch, at: number): void {
    if (batch.isTorn) return
    const tear = batch.tear(this.#circumstances.session)
    if (tear === undefined) return
    batch.isTorn = true
    const { there, missing } = tear
    const summary =
      `${batchInWords(batch.writes.map((write) => write.op))} ${OUTCOMES[there.outcome]}, and ${this.#when} ` +
      `${partInWords(there.op)} is there and ${partInWords(missing.op)} is not`
    this.#report({ kind: 'torn-batch', summary, at, promises: ['atomic-batches'] })
  }

  /** Violations of a batch's parts: of a torn one they are the tear, which is reported; else each is its own. */
  #accuse(batch: Batch): void {
    const isAcked = batch.writes[0]!.outcome === 'acked'
    const isWaived = this.#ledger.waives('atomic-batches')
    if (!batch.isTorn || (isWaived && isAcked)) {
      // Without atomic batches a refused batch may be there in part, and the other parts may have been overwritten.
      const isPart = !isAcked && !batch.isWhole(this.#circumstances.session)
      const promises: readonly PromiseId[] = isPart ? ['atomic-batches'] : []
      for (const each of batch.suspicions)
        this.#report({ ...each, promises: [...each.promises, ...promises] })
    }
    batch.suspicions.length = 0
  }

  #report({ kind, summary, at, promises }: Suspicion): void {
    const { isDamaged, isForgetful } = this.#circumstances
    const damage: readonly PromiseId[] = isDamaged ? ['tells-damage'] : []
    const forgotten: readonly PromiseId[] = isForgetful && LOSSES.has(kind) ? ['distrusts-failed-sync'] : []
    this.#ledger.report(kind, summary, at, [...promises, ...damage, ...forgotten])
  }
}

/** What it looks like when writes are gone: of a batch that is gone, a delete may seem to be there. */
const LOSSES: ReadonlySet<ViolationKind> = new Set(['lost-write', 'resurrected-delete', 'torn-batch'])

const OUTCOMES: Record<Write['outcome'], string> = {
  'under way': 'was under way',
  acked: 'was acked',
  refused: 'was refused',
  unknown: 'had no known outcome',
}

function partInWords(op: WriteOp): string {
  return `${writeInWords(op)} of ${keyInWords(op.key)}`
}

/** What is wrong with the order or the number of a scan's entries, in words. */
function shapeOfScan({ after, limit }: Scan, entries: Entries): string | undefined {
  if (entries.length > limit) return `returned ${entries.length} entries, and the limit was ${limit}`
  let previous = after
  for (const [key] of entries) {
    if (previous !== null && compareUtf8(key, previous) <= 0) {
      const wrong = key === previous && previous !== after ? 'twice' : `after ${keyInWords(previous)}`
      return `returned ${keyInWords(key)} ${wrong}, out of order`
    }
    previous = key
  }
  return undefined
}

interface Classified {
  readonly kind: ViolationKind
  readonly summary: string
  /** The write whose batch, if it has one, may be torn. */
  readonly blamed?: Write
}

function classify(
  observed: Observed,
  { expected, culprit, forgotten }: Contradiction,
  when: string,
): Classified {
  if (observed !== null && 'corrupt' in observed) {
    return { kind: 'corrupt-read', summary: `${when} a read returned ${observed.corrupt}` }
  }
  if (culprit?.outcome === 'refused') {
    const there = culprit.op.f === 'put' ? 'it is there' : 'the key is gone'
    const summary = `${writeInWords(culprit.op)} was refused, and ${when} ${there}`
    return { kind: 'phantom-write', blamed: culprit, summary }
  }
  const was = expectationInWords(expected)
  if (observed === null) {
    return { kind: 'lost-write', blamed: expected, summary: `${was}, and ${when} nothing is there` }
  }
  if (culprit === undefined && !(forgotten && 'seq' in observed)) return neverWritten(observed, when)

  const found = culprit === undefined ? `put #${(observed as { seq: number }).seq}` : writeInWords(culprit.op)
  if (culprit?.outcome === 'unknown' && culprit.order > expected.order) {
    const summary = `${found} had no known outcome and a read showed that it did not happen, and ${when} it is there`
    return { kind: 'phantom-write', blamed: culprit, summary }
  }
  if (expected.op.f === 'delete') {
    return {
      kind: 'resurrected-delete',
      blamed: expected,
      summary: `${was}, and ${when} ${found} is there again`,
    }
  }
  return { kind: 'lost-write', blamed: expected, summary: `${was}, and ${when} the older ${found} is there` }
}

function neverWritten(observed: { seq: number } | { text: string }, when: string): Classified {
  if ('seq' in observed) {
    return { kind: 'phantom-write', summary: `${when} #${observed.seq} is there, which was never written` }
  }
  const text = JSON.stringify(observed.text)
  return { kind: 'corrupt-read', summary: `${when} a read returned ${text}, which is no value of this key` }
}

function expectationInWords({ op, outcome, seen }: Write): string {
  if (op.seq === 0) return 'it was never written'
  if (outcome === 'acked') return `${writeInWords(op)} was acked`
  return `${writeInWords(op)} ${seen ? 'was seen there' : OUTCOMES[outcome]}`
}
