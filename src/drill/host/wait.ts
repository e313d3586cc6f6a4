import { setTimeout as sleep } from 'node:timers/promises'

export interface Patience {
  readonly milliseconds: number
  /** From one look to the next. */
  readonly stepMs: number
  /** Ends it early. */
  readonly abort?: AbortSignal | undefined
}

/** Looks again and again. @returns whether it held in time */
export async function until(
  holds: () => boolean,
  { milliseconds, stepMs, abort }: Patience,
): Promise<boolean> {
  for (const deadline = performance.now() + milliseconds; !holds(); await sleep(stepMs)) {
    if (abort?.aborted || performance.now() > deadline) return false
  }
  return true
}
