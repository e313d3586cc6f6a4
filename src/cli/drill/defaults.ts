/** What a drill does where nobody says more. Durations are in milliseconds, the gate is a share. */
export const DRILL_DEFAULTS = {
  forMs: 60_000,
  everyMs: 1000,
  probeTimeoutMs: 5000,
  recoverMs: 30_000,
  steady: 3,
  rounds: 1,
  gate: 0.95,
} as const

/** What a slow disk still reads, and writes, in a second. */
export const DEFAULT_RATE = 1024 * 1024
