/** Direct evidence: the calls of the service's processes that failed in the way that the fault makes them fail. */
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { INSTANCE_PREFIX, INSTANCES, KernelTrace, removeInstance } from '../evidence/kernel-trace.js'
import { ownerName } from '../sandbox/owner.js'
import type { DrillPlan } from './plan.js'

const SLOT = 'drill'

interface Trace {
  /** @returns how often each error was seen */
  end(): Promise<Readonly<Record<string, number>>>
}

/** @returns undefined where no process is known, or this host has no such trace mounted: a drill does not mount one */
export async function traceCalls(plan: DrillPlan, errnos: readonly string[]): Promise<Trace | undefined> {
  const traced = errnos.filter((errno) => errno in constants.errno)
  if (plan.processes.length === 0 || traced.length === 0 || !existsSync(INSTANCES)) return undefined
  const trace = await KernelTrace.open(ownerName()!, SLOT, '/proc', traced).catch(() => undefined) // not allowed to
  if (trace === undefined) return undefined
  await trace.followAll(plan.processes.map(({ pid }) => pid))
  await trace.arm(traced)
  return {
    async end() {
      try {
        return Object.fromEntries(await trace.disarm())
      } finally {
        await trace.remove()
      }
    },
  }
}

/** Removes the trace of a watchdog that was killed. */
export function forgetTrace(watchdog: string): void {
  if (existsSync(INSTANCES)) removeInstance(`${INSTANCE_PREFIX}${watchdog}-${SLOT}`)
}
