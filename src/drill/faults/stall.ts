/** A file system that stands still: whoever writes waits, and cannot be killed, until it is thawed (fsfreeze(8)). */
import { HostError } from '../../errors.js'
import { CommandError, command } from '../../sandbox/command.js'
import { procPath } from '../host/files.js'
import { placeOf, withPlace } from '../host/place.js'
import { bootId } from '../host/processes.js'
import type { DrillPlan } from '../plan.js'
import { BLOCKED } from '../testimony.js'
import { type Fault, needSysAdmin } from './fault.js'

interface Frozen {
  readonly mountPoint: string
}

export const stall: Fault<Frozen> = {
  title: 'A file system that stands still',
  errnos: [BLOCKED],
  capabilities: ['sys_admin', 'dac_read_search'],
  foresee(plan) {
    const { mountPoint, type } = placeOf(plan)
    needSysAdmin('stall')
    return {
      does: [
        `freezes ${mountPoint} (${type}): every write to it waits, and whoever waits cannot be killed (fsfreeze --freeze)`,
        'whatever else is on that file system waits as well',
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
    // a boot thaws
    if (plan.bootId === bootId()) await freeze(plan, '--unfreeze').catch(ignoreThawed)
    return { detail: `${placeOf(plan).mountPoint} is thawed`, left: [], failed: [] }
  },
}

async function freeze(plan: DrillPlan, what: '--freeze' | '--unfreeze'): Promise<void> {
  await withPlace(plan, async (fd) => {
    await command('fsfreeze', what, procPath(fd))
  })
}

/** @throws HostError where that kind of file system cannot be frozen (tmpfs), the error itself else */
function explain(plan: DrillPlan, error: unknown): never {
  if (!(error instanceof CommandError) || !/not supported/.test(error.stderr)) throw error
  const { mountPoint, type } = placeOf(plan)
  throw new HostError(`${mountPoint} is ${type}, which cannot be frozen`, { cause: error })
}

/** The kernel's answer for a file system that is not frozen: EINVAL. */
function ignoreThawed(error: unknown): void {
  if (!(error instanceof CommandError) || !/Invalid argument/.test(error.stderr)) throw error
}
