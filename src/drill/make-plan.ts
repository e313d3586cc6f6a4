/** Makes the plan of a drill from what was asked for and what is there. Touches nothing. */
import { randomBytes } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import path from 'node:path'
import { bootId, mountNamespace } from './host/processes.js'
import type { DrillPlan, Place, Rate, SmallVolume } from './plan.js'

/** What of a plan is asked for. */
type Asked = Pick<DrillPlan, 'fault' | 'leave' | 'reserved' | 'forMs'> & {
  readonly rate?: Rate | undefined
  readonly volume?: Omit<SmallVolume, 'directory'> | undefined
}

export function makePlan(
  { fault, leave, reserved, forMs, rate, volume }: Asked,
  place: Place | undefined,
  { processes }: Pick<DrillPlan, 'processes'>,
  state: string,
): DrillPlan {
  const id = randomBytes(6).toString('hex')
  return {
    schema: 1,
    id,
    ...{ fault, leave, reserved, forMs, processes },
    ...(place === undefined ? {} : { place }),
    ...(rate === undefined ? {} : { rate }),
    ...(volume === undefined ? {} : { volume: { ...volume, directory: path.join(state, `volume-${id}`) } }),
    host: hostname(),
    user: process.env.SUDO_USER ?? userName(),
    madeAt: new Date().toISOString(),
    bootId: bootId(),
    mountNamespace: mountNamespace(),
  }
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.geteuid?.()}` // a number without a name, as in many containers
  }
}
