/** The workload as a scenario asks for it, with every default filled in. */
export interface WorkloadSpec {
  /** How many keys there are; each belongs to one client. */
  readonly keys: number
  readonly clients: number
  /** Requests that each client keeps in flight. */
  readonly depth: number
  /** Sizes of values: a fixed number of bytes, or many sizes from 0 to `largest`, around page boundaries too. */
  readonly sizes: { readonly fixed: number } | { readonly largest: number }
  /** Weights of the operations; 0 leaves one out. */
  readonly mix: {
    readonly put: number
    readonly delete: number
    readonly batch: number
    readonly get: number
    readonly scan: number
  }
}
