/** Whether a service works, seen from outside. Each file of this room asks in one way; index.ts tells which. */

export interface Probe {
  /** As the user gave it, without a password. */
  readonly name: string
  /** @returns undefined where the service works; else why not, in words */
  ask(timeoutMs: number): Promise<string | undefined>
}
