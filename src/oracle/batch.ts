import type { PromiseId } from '../target/contract.js'
import type { Write } from './key-state.js'
import type { ViolationKind } from './violation.js'

/** A violation that may turn out to be a part of a torn batch. */
export interface Suspicion {
  readonly kind: ViolationKind
  readonly summary: string
  readonly at: number
  readonly promises: readonly PromiseId[]
}

/** A batch, for as long as a key remembers one of its writes. */
export class Batch {
  readonly writes: Write[] = []
  readonly suspicions: Suspicion[] = []
  isTorn = false

  /** Two of its writes of which one session's reads showed that one is there and the other is not. */
  tear(session: number): { readonly there: Write; readonly missing: Write } | undefined {
    const known = this.writes.filter((write) => write.fact?.session === session)
    const there = known.find((write) => write.fact?.there === true && write.possible)
    const missing = known.find((write) => write.fact?.there === false)
    return there === undefined || missing === undefined ? undefined : { there, missing }
  }

  /** Whether this session's reads showed every one of its writes to be there. */
  isWhole(session: number): boolean {
    return this.writes.every((write) => write.fact?.session === session && write.fact.there)
  }
}
