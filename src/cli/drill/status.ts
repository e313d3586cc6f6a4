/** `drill status`: what is active on this host. */
import { activeDirectory, checkState, readJournal, stateDirectory } from '../../drill/journal.js'
import { watchdogState } from '../../drill/undo.js'
import { leftWorkload } from '../../drill/workload-directory.js'
import { visible } from '../../report/words.js'
import type { Screen } from '../screen.js'

const WATCHDOG = {
  there: 'is there, and undoes it when its time is up',
  gone: 'is gone: lightning-chaos drill undo',
  elsewhere: 'was started in another pid namespace, and can only be seen there',
} as const

/** @returns whether one is active */
export async function drillStatus(
  { state: named, json }: { readonly state?: string; readonly json?: true },
  { out }: Screen,
): Promise<boolean> {
  const state = stateDirectory(named)
  checkState(state)
  const found = readJournal(state)
  const { plan, saved = [], armed = false, damage = [] } = found ?? {}
  const left = leftWorkload(state)
  const watchdog = found === undefined ? 'gone' : watchdogState(found)
  if (json) {
    const active =
      found === undefined
        ? []
        : [{ plan, armed, watchdog: watchdog !== 'gone', things: saved.length, damage }]
    const workload = left === undefined ? {} : { leftWorkload: left }
    out.write(`${JSON.stringify({ schema: 1, active, ...workload }, null, 2)}\n`)
    return found !== undefined
  }
  const say = (line: string) => out.write(`${visible(line)}\n`)
  if (left !== undefined) say(`the directory of a workload was left: ${left}: lightning-chaos drill undo`)
  if (found === undefined) {
    say(`no drill is active (${state})`)
    return false
  }
  const where = plan?.place === undefined ? '' : ` at ${plan.place.path}`
  say(
    `${plan?.fault ?? 'a drill that cannot be told'}${where}, since ${plan?.madeAt ?? '?'} by ${plan?.user ?? '?'}`,
  )
  say(`  journal    ${activeDirectory(state)}, ${saved.length} things saved`)
  for (const each of damage) say(`  damaged    ${each}`)
  say(`  watchdog   ${WATCHDOG[watchdog]}`)
  return true
}
