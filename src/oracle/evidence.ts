import type { Event } from '../history/events.js'
import type { EvidenceCount } from '../report/result.js'

/** Counts the proofs that the injected faults reached the target. */
export class Evidence {
  readonly #counts: Record<string, { direct: number; probe: number }> = {}
  /** Of each injected fault, whether it is proven. */
  readonly #faults = new Map<string, { readonly errnos: readonly string[]; proven: boolean }>()

  observe(event: Event): void {
    if (event.type === 'fault' && event.action === 'inject' && !this.#faults.has(event.fault)) {
      this.#faults.set(event.fault, { errnos: event.errnos, proven: false })
    }
    if (event.type !== 'evidence' || event.count === 0) return
    const { errno, grade, count } = event
    this.#counts[errno] ??= { direct: 0, probe: 0 }
    this.#counts[errno][grade] += count
    for (const fault of this.#faults.values()) if (fault.errnos.includes(errno)) fault.proven = true
  }

  get counts(): EvidenceCount {
    return this.#counts
  }

  /** The injected faults that nothing proves. */
  get unproven(): string[] {
    return [...this.#faults].filter(([, { proven }]) => !proven).map(([name]) => name)
  }
}
