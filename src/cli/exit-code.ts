import { ExitCode } from '../errors.js'
import { judgeGate } from '../report/gate.js'
import type { RunResult } from '../report/result.js'

/** What a run that came to its end exits with: 3 where this host could do nothing of it. */
export function exitCode(result: RunResult): ExitCode {
  const { met, counts } = judgeGate(result)
  if (counts.trials > 0 && counts.skipped === counts.trials) return ExitCode.host
  return met ? ExitCode.gateMet : ExitCode.gateMissed
}
