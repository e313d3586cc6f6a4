import type { Judgement } from '../report/result.js'
import type { Contract, PromiseId } from '../target/contract.js'
import { VIOLATION_SEVERITY, type Violation, type ViolationKind } from './violation.js'

/** Violations of one kind that are kept; the rest is counted. */
const KEPT = 5

interface Waived {
  readonly summary: string
  count: number
}

/** Collects what was broken: violations, and beside them what the contract does not promise. */
export class Ledger {
  readonly #contract: Contract
  readonly #kept: Violation[] = []
  readonly #counts = new Map<ViolationKind, number>()
  readonly #waived = new Map<PromiseId, Waived>()

  constructor(contract: Contract) {
    this.#contract = contract
  }

  waives(promise: PromiseId): boolean {
    return this.#contract.waived[promise] !== undefined
  }

  /**
   * @param at index in the history of the event that proves it
   * @param promises what the target would have to promise, all of it, for this to be a violation; none: always one
   */
  report(kind: ViolationKind, summary: string, at: number, promises: readonly PromiseId[] = []): void {
    const waived = promises.find((promise) => this.waives(promise))
    if (waived !== undefined) {
      const known = this.#waived.get(waived)
      if (known === undefined) this.#waived.set(waived, { summary, count: 1 })
      else known.count += 1
      return
    }
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    if (count <= KEPT) this.#kept.push({ kind, severity: VIOLATION_SEVERITY[kind], summary, at })
  }

  violations(): Violation[] {
    return this.#kept.map((violation) => {
      const { kind, summary } = violation
      const more = this.#counts.get(kind)! - KEPT
      const isLast = this.#kept.findLast((other) => other.kind === kind) === violation
      return isLast && more > 0
        ? { ...violation, summary: `${summary} (and ${more} more ${kind})` }
        : violation
    })
  }

  waived(): Judgement['waived'] {
    return [...this.#waived].map(([promise, { summary, count }]) => ({
      promise,
      summary: count === 1 ? summary : `${summary} (and ${count - 1} more like it)`,
    }))
  }
}
