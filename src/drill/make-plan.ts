/** Makes the plan of a drill from what was asked for and what is there. Touches nothing. */
import { randomBytes } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import { bootId } from './host/processes.js'
import type { DrillPlan, FaultName, Place, PlannedProcess } from './plan.js'

export interface DrillRequest {
  readonly fault: FaultName
  readonly place: Place | undefined
  readonly processes: readonly PlannedProcess[]
  readonly leave: number
  readonly reserved: boolean
  readonly forMs: number
}

export function makePlan({ place, ...request }: DrillRequest): DrillPlan {
  return {
    schema: 1,
    id: randomBytes(6).toString('hex'),
    ...request,
    ...(place === undefined ? {} : { place }),
    host: hostname(),
    user: process.env.SUDO_USER ?? userName(),
    madeAt: new Date().toISOString(),
    bootId: bootId(),
  }
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.geteuid?.()}` // a number without a name, as in many containers
  }
}
