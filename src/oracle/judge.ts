/** From a history to a judgement: what may be there (model.ts), how the target behaved (grace.ts), what proves the fault. */
import { InternalError } from '../errors.js'
import type { Event } from '../history/events.js'
import type { Judgement } from '../report/result.js'
import type { Contract } from '../target/contract.js'
import type { Call, Completion } from './call.js'
import { Circumstances } from './circumstances.js'
import { Evidence } from './evidence.js'
import { Grace } from './grace.js'
import { Ledger } from './ledger.js'
import { Model } from './model.js'

export interface JudgeOptions {
  /** The trial's seed, from which its values were made. */
  readonly seed: string
  readonly contract: Contract
}

/** Judges a history while it happens. Feed every event in order, then finish. */
export class Judge {
  readonly #circumstances = new Circumstances()
  readonly #evidence = new Evidence()
  readonly #ledger: Ledger
  readonly #model: Model
  readonly #grace: Grace
  readonly #calls = new Map<number, Call>()
  readonly #operations = { acked: 0, refused: 0, unknown: 0, reads: 0 }
  #events = 0
  /** How the read-back that follows the last start went. */
  #closing: 'not begun' | 'begun' | 'ended' = 'not begun'

  constructor({ seed, contract }: JudgeOptions) {
    this.#ledger = new Ledger(contract)
    this.#model = new Model(seed, this.#ledger, this.#circumstances)
    this.#grace = new Grace(this.#ledger, this.#circumstances)
  }

  /** @throws InternalError where the event answers an operation that never began: the history is broken, not the target */
  observe(event: Event): void {
    const at = this.#events++
    switch (event.type) {
      case 'invoke': {
        const call: Call = { client: event.client, op: event.op, at }
        this.#calls.set(event.id, call)
        this.#model.invoke(call)
        return
      }
      case 'ok':
      case 'fail':
      case 'info':
        this.#complete(event, at)
        return
    }
    this.#model.observe(event)
    this.#grace.observe(event, at)
    this.#circumstances.observe(event, at)
    this.#evidence.observe(event)
    if (event.type === 'verify') this.#closing = event.action === 'begin' ? 'begun' : 'ended'
    if (event.type === 'process' && event.action === 'start') this.#closing = 'not begun'
  }

  finish(): Judgement {
    this.#model.conclude()
    const violations = this.#ledger.violations()
    const gap = this.#gap()
    const outcome =
      violations.length > 0
        ? ({ verdict: 'failed', reason: violations[0]!.summary } as const)
        : gap !== undefined
          ? ({ verdict: 'inconclusive', reason: gap } as const)
          : ({ verdict: 'passed' } as const)
    return {
      ...outcome,
      violations,
      waived: this.#ledger.waived(),
      evidence: this.#evidence.counts,
      operations: { ...this.#operations },
    }
  }

  #complete(completion: Completion, at: number): void {
    const call = this.#calls.get(completion.id)
    if (call === undefined)
      throw new InternalError(`operation ${completion.id} was answered and had not begun`)
    this.#calls.delete(completion.id)
    this.#count(call, completion)
    this.#model.complete(call, completion, at)
    this.#grace.complete(call, completion, at)
  }

  #count({ op }: Call, { type }: Completion): void {
    if (op.f === 'get' || op.f === 'scan') {
      if (type === 'ok') this.#operations.reads += 1
    } else if (op.f === 'put' || op.f === 'delete' || op.f === 'batch') {
      this.#operations[type === 'ok' ? 'acked' : type === 'fail' ? 'refused' : 'unknown'] += 1
    }
  }

  /** Why a history without a violation proves nothing. */
  #gap(): string | undefined {
    const { unproven } = this.#evidence
    if (unproven.length > 0) return `nothing shows that ${unproven.join(' and ')} reached the target`
    if (this.#operations.acked === 0) return 'no write was acked, so none could be lost'
    if (this.#closing === 'not begun') return 'nothing was read back after the last start'
    if (this.#closing === 'begun') return 'the last read-back did not come to its end'
    return undefined
  }
}

/** Judges a whole history. */
export function judge(events: Iterable<Event>, options: JudgeOptions): Judgement {
  const judge = new Judge(options)
  for (const event of events) judge.observe(event)
  return judge.finish()
}
