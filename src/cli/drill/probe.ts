/** `drill probe`: asks once. */
import { probeOf } from '../../drill/probe/index.js'
import { ExitCode } from '../../errors.js'
import { oneLine } from '../../report/words.js'
import type { Screen } from '../screen.js'

/** @returns the exit code */
export async function drillProbe(text: string, timeoutMs: number, { out }: Screen): Promise<ExitCode> {
  const began = performance.now()
  const error = await probeOf(text).ask(timeoutMs)
  const latency = `${(performance.now() - began).toFixed(1)} ms`
  out.write(error === undefined ? `works, ${latency}\n` : `fails, ${latency}: ${oneLine(error)}\n`)
  return error === undefined ? ExitCode.gateMet : ExitCode.gateMissed
}
