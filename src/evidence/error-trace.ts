/** Direct evidence: something that sees the errors which the target's own system calls ran into. */
export interface ErrorTrace {
  /** For the report: 'kernel trace'. */
  readonly name: string
  /** Starts counting the calls that fail with one of the errors. */
  arm(errnos: readonly string[]): Promise<void>
  /** @returns how often each error was seen since `arm` */
  disarm(): Promise<ReadonlyMap<string, number>>
}
