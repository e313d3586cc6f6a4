import type { TrialKey } from '../scenario/plan.js'
import { quoteCommandLine } from '../target/command-line.js'

/**
 * The command that runs a trial again.
 * @param scenario its name, or its file
 * @param options what else has to be the same: the target, limits that are not the usual ones
 */
export function replayLine(scenario: string, { seed, index }: TrialKey, options: readonly string[]): string {
  return `npx lightning-chaos replay ${quoteCommandLine([scenario, '--trial', `${seed}.${index}`, ...options])}`
}
