/** What one key may hold, as far as the writes and reads of it so far tell. */
import type { Observed, WriteOp } from '../history/events.js'
import { encodeValue, HEADER_SIZE } from '../workload/value.js'
import type { Batch } from './batch.js'

/** Writes remembered of a key. Those that may be there are kept beyond it, up to the hard limit. */
const KEPT = 64
const KEPT_AT_MOST = 512

/** One write of a key, or a sight that no write explains. */
export interface Write {
  readonly op: WriteOp
  /** Its place among the writes of its key: a later one overwrites it. */
  readonly order: number
  readonly session: number
  /** Index of its `invoke` in the history. */
  readonly began: number
  readonly batch: Batch | undefined
  /** Set where nobody wrote this and it was seen all the same: what was seen. */
  readonly sight?: Observed
  outcome: 'under way' | 'acked' | 'refused' | 'unknown'
  /** Index of the event that answered it; infinity while it is under way. */
  ended: number
  /** Whether the target answered at all; a write without an answer may land after later ones. */
  answered: boolean
  /** A read may return it. */
  possible: boolean
  /** Since when no read may return it: a read that began before still may. */
  goneSince: number
  /** It is only possible because a violation, reported already, put it there. */
  wrong: boolean
  /** A read settled that it happened. */
  seen: boolean
  /** What the last read with a final answer showed of it, and in which session. */
  fact?: { readonly session: number; readonly there: boolean }
}

/** A sight that breaks a promise. */
export interface Contradiction {
  /** The write that ought to be there. */
  readonly expected: Write
  /** The write that is there instead; undefined where no write of this key that is remembered is. */
  readonly culprit: Write | undefined
  /** Whether a write too old to be remembered may be what is there. */
  readonly forgotten: boolean
}

export interface Sighting {
  readonly contradiction?: Contradiction
  /** Batches of which this read showed a part to be there or not. */
  readonly batches: readonly Batch[]
}

export class KeyState {
  readonly #seed: string
  readonly #key: string
  #writes: Write[]
  #orders = 0
  /** Index of the event that last ended a write. */
  #lastEnd = -1
  /** Since when the write forgotten last may not be there; -1: none was forgotten. */
  #forgottenSince = -1
  /** Too many writes may be there to remember them all: until one is acked, whatever proves itself is believed. */
  #isLenient = false

  constructor(seed: string, key: string) {
    this.#seed = seed
    this.#key = key
    const never = this.#record({ f: 'delete', key, seq: 0 }, { began: -1, session: 0 })
    this.#writes = [{ ...never, outcome: 'acked', ended: -1, answered: true }]
  }

  begin(op: WriteOp, at: number, session: number, batch?: Batch): Write {
    const write = this.#record(op, { began: at, session, batch })
    this.#add(write)
    return write
  }

  acked(write: Write, at: number, session: number): void {
    end(write, 'acked', at)
    this.#lastEnd = at
    this.#isLenient = false
    for (const other of this.#writes) {
      const mayLandLater = other.outcome === 'unknown' && !other.answered && other.session === session
      if (other !== write && other.ended < write.began && !mayLandLater) drop(other, at)
    }
  }

  refused(write: Write, at: number): void {
    end(write, 'refused', at)
    this.#lastEnd = at
    drop(write, at)
  }

  unknown(write: Write, at: number, answered: boolean): void {
    end(write, 'unknown', at)
    this.#lastEnd = at
    write.answered = answered
  }

  /**
   * A read that began at event `since` and ended at event `at` returned `observed`. What it shows is settled, unless a
   * write of the key was under way meanwhile: a later read that shows another thing is a contradiction.
   */
  see(observed: Observed, since: number, at: number, session: number): Sighting {
    const isFinal = this.#lastEnd < since && !this.#writes.some((write) => mayLand(write, session))
    const matching = this.#writes.filter((write) => this.#matches(write, observed))
    const allowed = matching.filter((write) => write.possible || write.goneSince > since)
    if (allowed.length > 0) {
      if (!isFinal) return { batches: [] }
      const possible = allowed.filter((write) => write.possible)
      this.#settle(possible, at)
      const [only, ...others] = possible
      const isOne = only !== undefined && others.length === 0
      return { batches: isOne ? this.#noteFacts(only, !only.wrong, session) : [] }
    }
    const mayBeForgotten = this.#isLenient || this.#forgottenSince > since
    if (mayBeForgotten && (observed === null || !('corrupt' in observed))) return { batches: [] }

    const expected = this.#expected()
    const culprit = this.#culprit(matching, observed, expected)
    const adopted = culprit ?? this.#addSight(observed, at, session)
    adopted.possible = true
    adopted.wrong = true
    // Nothing there, or a text of a few characters, may be the doing of one of several writes.
    const isCertain = observed === null ? culprit?.outcome === 'refused' : matching.length === 1
    const batches = isFinal ? this.#noteFacts(adopted, isCertain, session) : []
    return { contradiction: { expected, culprit, forgotten: this.#forgottenSince >= 0 }, batches }
  }

  #record(op: WriteOp, rest: Pick<Write, 'began' | 'session'> & { batch?: Batch | undefined }): Write {
    return {
      op,
      order: this.#orders++,
      began: rest.began,
      session: rest.session,
      batch: rest.batch,
      outcome: 'under way',
      ended: Number.POSITIVE_INFINITY,
      answered: false,
      possible: true,
      goneSince: Number.POSITIVE_INFINITY,
      wrong: false,
      seen: false,
    }
  }

  #addSight(observed: Observed, at: number, session: number): Write {
    const seq = observed !== null && 'seq' in observed ? observed.seq : 0
    const op: WriteOp =
      observed === null ? { f: 'delete', key: this.#key, seq } : { f: 'put', key: this.#key, seq, size: 0 }
    const write: Write = { ...this.#record(op, { began: at, session }), sight: observed }
    end(write, 'unknown', at)
    this.#add(write)
    return write
  }

  #add(write: Write): void {
    this.#writes.push(write)
    if (this.#writes.length <= KEPT) return
    const gone = this.#writes.findIndex((each) => !each.possible && each.outcome !== 'under way')
    if (gone >= 0) {
      const [forgotten] = this.#writes.splice(gone, 1)
      this.#forgottenSince = Math.max(this.#forgottenSince, forgotten!.goneSince)
    } else if (this.#writes.length > KEPT_AT_MOST) {
      this.#writes.shift()
      this.#isLenient = true
    }
  }

  #matches({ op, sight }: Write, observed: Observed): boolean {
    if (sight !== undefined) return JSON.stringify(sight) === JSON.stringify(observed)
    if (observed === null) return op.f === 'delete'
    if (op.f === 'delete' || 'corrupt' in observed) return false
    if ('seq' in observed) return op.seq === observed.seq
    const { size } = op
    return (
      size < HEADER_SIZE &&
      size === observed.text.length &&
      encodeValue(this.#seed, this.#key, op.seq, size) === observed.text
    )
  }

  /** Only what was seen stays possible. What a violation put there settles nothing. */
  #settle(seen: readonly Write[], at: number): void {
    if (!seen.some((write) => !write.wrong)) return
    for (const write of this.#writes) if (!seen.includes(write)) drop(write, at)
    if (seen.length === 1) seen[0]!.seen = true
  }

  /** With `seen` there, no later write is. What ought to have been overwritten by now says nothing of its batch. */
  #noteFacts(seen: Write, isCertain: boolean, session: number): Batch[] {
    const since = Math.max(seen.order, this.#expected().order)
    return this.#writes.flatMap((write) => {
      const isKnown = write === seen ? isCertain : write.order >= since
      if (write.batch === undefined || !isKnown) return []
      write.fact = { session, there: write === seen }
      return [write.batch]
    })
  }

  /** What ought to be there: the last write that is certain, else the last that may be. */
  #expected(): Write {
    const rightful = this.#writes.filter((write) => write.possible && !write.wrong)
    return (
      rightful.findLast((write) => write.outcome === 'acked' || write.seen) ??
      rightful.at(-1) ??
      this.#writes.at(-1)!
    )
  }

  #culprit(matching: readonly Write[], observed: Observed, expected: Write): Write | undefined {
    if (observed !== null) return matching.findLast((write) => write.outcome !== 'refused') ?? matching.at(-1)
    const refused = matching.findLast((write) => write.outcome === 'refused' && write.order > expected.order)
    return (
      refused ?? matching.findLast((write) => write.outcome !== 'refused' && write.order < expected.order)
    )
  }
}

/** A write that may still take effect, or show up, or not: its outcome is open for as long as its session runs. */
function mayLand({ outcome, possible, sight, session }: Write, current: number): boolean {
  return (
    outcome === 'under way' ||
    (outcome === 'unknown' && possible && sight === undefined && session === current)
  )
}

function end(write: Write, outcome: Write['outcome'], at: number): void {
  write.outcome = outcome
  write.ended = at
  write.answered = true
}

function drop(write: Write, at: number): void {
  if (write.possible) write.goneSince = at
  write.possible = false
  write.wrong = false
}
