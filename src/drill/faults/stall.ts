/** A file system that stands still: whoever writes waits, and cannot be killed, until it is thawed (fsfreeze(8)). */
import { CommandError, command } from '../../sandbox/command.js'
import { UntouchedError } from '../errors.js'
import { procPath } from '../host/files.js'
import { disksOn } from '../host/images.js'
import { placeOf, withPlace } from '../host/place.js'
import { bootId } from '../host/processes.js'
import type { DrillPlan } from '../plan.js'
import { BLOCKED } from '../testimony.js'
import { type Fault, needCapability } from './fault.js'

interface Frozen {
  readonly mountPoint: string
}

export const stall: Fault<Frozen> = {
  title: 'A file system that stands still',
  errnos: [BLOCKED],
  capabilities: ['sys_admin', 'dac_read_search'],
  foresee(plan) {
    const { mountPoint, type } = placeOf(plan)
    needCapability('sys_admin', 'stall')
    return {
      does: [
        `freezes ${mountPoint} (${type}): every write to it waits, and whoever waits cannot be killed (fsfreeze --freeze)`,
        'whatever else is on that file system waits as well',
        ...disksOn(placeOf(plan)).map(({ device, file }) => `so does what is on ${device}, which is ${file}`),
      ],
      undoes: ['thaws it (fsfreeze --unfreeze)'],
    }
  },
  *save(plan) {
    yield { mountPoint: placeOf(plan).mountPoint }
  },
  async inject(plan) {
    await freeze(plan, '--freeze').catch((error) => explain(plan, error))
    return { detail: `${placeOf(plan).mountPoint} is frozen` }
  },
  async undo(plan) {
    const { mountPoint } = placeOf(plan)
    const undone = { detail: `${mountPoint} is thawed`, left: [], failed: [] }
    if (plan.bootId !== bootId()) return undone // a boot thaws
    return (await thaw(plan)) ? undone : { ...undone, gone: `${mountPoint} was thawed already` }
  },
}

async function freeze(plan: DrillPlan, what: '--freeze' | '--unfreeze'): Promise<void> {
  await withPlace(plan, async (fd) => {
    await command('fsfreeze', what, procPath(fd))
  })
}

/** @throws UntouchedError where it cannot be frozen (tmpfs), or somebody else has frozen it; the error itself else */
function explain(plan: DrillPlan, error: unknown): never {
  const { mountPoint, type } = placeOf(plan)
  const said = error instanceof CommandError ? error.stderr : ''
  if (/not supported/.test(said)) {
    throw new UntouchedError(`${mountPoint} is ${type}, which cannot be frozen`, { cause: error })
  }
  if (/busy/.test(said)) {
    throw new UntouchedError(`${mountPoint} is frozen already, by somebody else`, { cause: error })
  }
  throw error
}

/** @returns false where it is not frozen: EINVAL is the kernel's answer to that */
async function thaw(plan: DrillPlan): Promise<boolean> {
  try {
    await freeze(plan, '--unfreeze')
    return true
  } catch (error) {
    if (!(error instanceof CommandError) || !/Invalid argument/.test(error.stderr)) throw error
    return false
  }
}
