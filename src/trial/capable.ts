/** Whether this host can run a scenario. */

import type { Capability } from '../sandbox/need.js'
import { needsOf } from '../scenario/needs.js'
import type { Scenario } from '../scenario/schema.js'

/** Why a scenario cannot run here and what would help, in words; undefined where it can. */
export function missing(scenario: Scenario, capabilities: readonly Capability[]): string | undefined {
  const needs = needsOf(scenario)
  for (const capability of capabilities) {
    if (!capability.ok && needs.includes(capability.need))
      return `${capability.why}; to get it: ${capability.fix}`
  }
  return undefined
}
