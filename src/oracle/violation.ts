/** The promises that can be broken, and how bad each is. */
export const VIOLATION_SEVERITY = {
  'lost-write': 'data-loss',
  'phantom-write': 'data-loss',
  'torn-batch': 'data-loss',
  'corrupt-read': 'data-loss',
  'resurrected-delete': 'data-loss',
  unreadable: 'grace',
  crashed: 'grace',
  hung: 'grace',
  'wrong-error': 'grace',
  'no-recovery': 'grace',
  'open-failed': 'grace',
  /** Of a drill: the service did not behave as its owner expects while the fault was on. */
  'unmet-expectation': 'grace',
} as const

export type ViolationKind = keyof typeof VIOLATION_SEVERITY
export type Severity = (typeof VIOLATION_SEVERITY)[ViolationKind]

/** One broken promise with its proof. */
export interface Violation {
  readonly kind: ViolationKind
  readonly severity: Severity
  /** One sentence in words, with key and numbers: "key k07: put #412 was acked, after the restart #398 is there". */
  readonly summary: string
  /** Index into the history of the event that proved it. */
  readonly at: number
}
