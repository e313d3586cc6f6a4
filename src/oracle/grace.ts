/** How the target behaves: whether it answers, and with the right errors, and recovers. What the data are is model.ts. */
import { type Event, RUNNER } from '../history/events.js'
import type { PromiseId } from '../target/contract.js'
import type { ErrorKind, TargetError } from '../target/protocol.js'
import { answeredError, type Call, type Completion } from './call.js'
import type { Circumstances, Fault } from './circumstances.js'
import type { Ledger } from './ledger.js'
import { promisesOf } from './promises.js'
import { operationInWords } from './words.js'

const PROCESS_VIOLATIONS = {
  crash: ['crashed', 'the target ended by itself'],
  hang: ['hung', 'the target did not answer in time'],
  garbage: ['wrong-error', 'the target answered with something that is not the protocol'],
} as const

export class Grace {
  readonly #ledger: Ledger
  readonly #circumstances: Circumstances

  constructor(ledger: Ledger, circumstances: Circumstances) {
    this.#ledger = ledger
    this.#circumstances = circumstances
  }

  /** Call it before the circumstances observe the event: they forget at a resume what was to be resumed from. */
  observe(event: Event, at: number): void {
    switch (event.type) {
      case 'process':
        if (event.action === 'crash' || event.action === 'hang' || event.action === 'garbage') {
          const [kind, what] = PROCESS_VIOLATIONS[event.action]
          this.#ledger.report(kind, `${what}, ${this.#when}: ${event.detail}`, at)
        }
        break
      case 'open':
        this.#open(event, at)
        break
      case 'resume':
        this.#resume(event, at)
    }
  }

  complete(call: Call, completion: Completion, at: number): void {
    const error = answeredError(completion)
    if (error === undefined) return
    if (call.op.f === 'get' || call.op.f === 'scan') this.#unreadable(call, error, at)
    else this.#refused(call, error, at)
  }

  get #when(): string {
    return this.#circumstances.inWords()
  }

  #unreadable(call: Call, error: TargetError, at: number): void {
    const recovering = this.#circumstances.recoveringSince(call.at) ? this.#circumstances.unresumed : []
    const faults = [...this.#circumstances.faultsSince(call.at), ...recovering]
    if (faults.some((fault) => fault.stopsReads)) return
    const summary = `${operationInWords(call.op)} failed, ${this.#when}: ${errorInWords(error)}`
    this.#ledger.report('unreadable', summary, at, [...promisesOf('reads', faults), ...this.#toldLate(error)])
  }

  #refused(call: Call, error: TargetError, at: number): void {
    const faults = this.#circumstances.faultsSince(call.at)
    const what = `${operationInWords(call.op)} was refused`
    if (faults.length === 0) {
      if (this.#circumstances.recoveringSince(call.at) || this.#isReadOnly(error.kind)) return
      const summary = `${what} with no fault on, ${this.#when}: ${errorInWords(error)}`
      this.#ledger.report('wrong-error', summary, at, this.#toldLate(error))
      return
    }
    if (!this.#isReadOnly(error.kind) && !this.#allowed(faults).has(error.kind)) {
      const summary = `${what} for the wrong reason, ${this.#when}: ${errorInWords(error)}`
      const promises = [...promisesOf('refuses', faults, error.kind), ...this.#toldLate(error)]
      this.#ledger.report('wrong-error', summary, at, promises)
      return
    }
    if (!faults.every((fault) => fault.family === 'full')) return
    const summary = `${what}, ${this.#when}: ${errorInWords(error)}`
    // no reserve makes room in a file that may not grow
    const isFileSize = faults.every(({ errnos }) => errnos.every((errno) => errno === 'EFBIG'))
    if (call.op.f === 'compact' && !isFileSize) {
      this.#ledger.report('wrong-error', summary, at, ['compacts-when-full'])
    }
    // the runner's own deletes are there to make room
    if (call.op.f === 'delete' && call.client === RUNNER) {
      this.#ledger.report('wrong-error', summary, at, ['deletes-when-full'])
    }
  }

  /** A directory that was opened read-only stays so until it is opened again, fault or no fault. */
  #isReadOnly(kind: ErrorKind): boolean {
    return this.#circumstances.mode === 'read-only' && (kind === 'read-only' || kind === 'permission')
  }

  #allowed(faults: readonly Fault[]): ReadonlySet<ErrorKind> {
    // A fault that was healed without waiting for writes may still be what a refusal speaks of.
    const kinds = new Set([...faults, ...this.#circumstances.unresumed].flatMap((fault) => fault.refusals))
    if (faults.some((fault) => fault.family === 'io')) kinds.add('io')
    return kinds
  }

  /**
   * Damage that was not told when it was read may have been taken for data, and written back. It is told when that is
   * read, or what it hides is missed ('no such table'): for the target an error of its own.
   */
  #toldLate({ kind }: TargetError): readonly PromiseId[] {
    const isOfDamage = kind === 'corruption' || kind === 'internal'
    return this.#circumstances.isDamaged && isOfDamage ? ['tells-damage'] : []
  }

  #open(event: Extract<Event, { type: 'open' }>, at: number): void {
    if (event.ok && event.mode === 'read-write') return
    const faults = this.#circumstances.faultsSince(at)
    if (faults.length === 0) {
      // Until writes are back it is the resume event that says whether the target recovered. A lock is no matter of
      // recovery: nobody else has the directory open.
      const isLocked = !event.ok && event.error.kind === 'busy'
      if (this.#circumstances.recoveringSince(at) && !isLocked) return
      const how = event.ok ? 'opened read-only' : `failed: ${errorInWords(event.error)}`
      const late = event.ok ? [] : this.#toldLate(event.error)
      this.#ledger.report('open-failed', `open with no fault on, ${this.#when}, ${how}`, at, late)
      return
    }
    const excused = faults.some((fault) =>
      event.ok ? fault.family !== 'errorless' : fault.stopsReads || fault.family === 'io',
    )
    if (excused) return
    const summary = event.ok
      ? `open gave read-only, ${this.#when}`
      : `open failed, ${this.#when}: ${errorInWords(event.error)}`
    this.#ledger.report('open-failed', summary, at, promisesOf('opens', faults))
  }

  #resume({ how, detail }: Extract<Event, { type: 'resume' }>, at: number): void {
    if (how === 'never') {
      this.#ledger.report('no-recovery', `writes never came back: ${detail}`, at, ['recovers-after-heal'])
      return
    }
    const { unresumed, openAtHeal } = this.#circumstances
    const isOfFullDisk = unresumed.length > 0 && unresumed.every((fault) => fault.family === 'full')
    if (how === 'in-place' || !isOfFullDisk || !openAtHeal) return
    const summary = `there was room again, and writes came back only after a ${how}: ${detail}`
    this.#ledger.report('no-recovery', summary, at, ['resumes-in-place'])
  }
}

function errorInWords({ kind, code, message }: TargetError): string {
  return `${kind} (${code}: ${message})`
}
