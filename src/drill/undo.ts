/** Undoes a drill from its journal alone. Safe to repeat, and for two at once. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ownerName } from '../sandbox/owner.js'
import { audit } from './audit.js'
import { forgetTrace } from './call-trace.js'
import { UndoError } from './errors.js'
import type { Undone } from './faults/fault.js'
import { FAULTS } from './faults/index.js'
import { bootId, isRunning, sessionMembers } from './host/processes.js'
import { activeDirectory, type JournalContent, readJournal, removeJournal } from './journal.js'
import { type DrillPlan, drillMark } from './plan.js'

/** How long a watchdog may take to undo before it is ended and the journal is undone without it. */
const WATCHDOG_MS = 120_000
const STEP_MS = 50

/** What an undo did. */
export interface Outcome extends Undone {
  readonly plan: DrillPlan
}

/**
 * Undoes whatever is active, with its watchdog's help where that is still there.
 * @returns undefined where nothing was to be undone
 * @throws UndoError where something could not be put back; the journal is kept then
 */
export async function undoActive(state: string, patienceMs = WATCHDOG_MS): Promise<Outcome | undefined> {
  const found = readJournal(state)
  if (found === undefined) return undefined
  await endWatchdog(found, patienceMs)
  const left = readJournal(state)
  if (left?.plan?.id === found.plan?.id && left !== undefined) return await undoJournal(state, left)
  return (
    found.plan && { plan: found.plan, detail: 'by its watchdog, which was at work', left: [], failed: [] }
  )
}

/**
 * Undoes what a journal says, and removes it once that is done. Nobody else may hold what the drill holds by then.
 * @throws UndoError where something could not be put back, or the journal is damaged; it is kept then
 */
export async function undoJournal(state: string, found: JournalContent): Promise<Outcome | undefined> {
  const { plan, watchdog, saved, armed, damage } = found
  if (watchdog !== undefined) forgetTrace(watchdog)
  if (!armed && damage.length === 0) {
    removeJournal(state)
    return plan && { plan, detail: 'nothing had been changed yet', left: [], failed: [] }
  }
  if (plan === undefined) throw damaged(state, damage, undefined)
  const undone = await attempt(plan, saved)
  if (undone.failed.length > 0) {
    audit(state, plan, 'not-undone', undone.failed.join('; '))
    throw new UndoError(`not everything could be put back:\n${undone.failed.join('\n')}`, {
      hint: `what could not is still in ${activeDirectory(state)}; once the reason is gone: lightning-chaos drill undo`,
    })
  }
  if (damage.length > 0) {
    audit(state, plan, 'not-undone', damage.join('; '))
    throw damaged(state, damage, undone)
  }
  audit(state, plan, 'undone', undone.detail)
  removeJournal(state)
  return { plan, ...undone }
}

async function attempt(plan: DrillPlan, saved: JournalContent['saved']): Promise<Undone> {
  try {
    return await FAULTS[plan.fault].undo(plan, saved)
  } catch (error) {
    return { detail: 'nothing could be undone', left: [], failed: [(error as Error).message] }
  }
}

function damaged(state: string, damage: readonly string[], undone: Undone | undefined): UndoError {
  const did =
    undone === undefined ? 'nothing could be undone' : `what can be read of it is undone: ${undone.detail}`
  return new UndoError(`the undo journal is damaged (${damage.join(', ')}); ${did}`, {
    hint: `see docs/drills.md, 'By hand'; when all is well, remove ${activeDirectory(state)}`,
  })
}

/** Whether the watchdog of a journal is at work. `elsewhere`: that can only be told in another pid namespace. */
export function watchdogState({ watchdog, plan }: JournalContent): 'there' | 'gone' | 'elsewhere' {
  if (watchdog === undefined || (plan !== undefined && plan.bootId !== bootId())) return 'gone'
  const [pid = '', start = '', namespace] = watchdog.split('.')
  if (namespace !== ownerName()?.split('.')[2]) return 'elsewhere'
  return isRunning({ pid: Number(pid), start }) ? 'there' : 'gone'
}

async function endWatchdog(found: JournalContent, patienceMs: number): Promise<void> {
  if (watchdogState(found) === 'elsewhere') {
    throw new UndoError(
      'the drill was begun in another pid namespace, and its watchdog may be at work there',
      {
        hint: 'undo it where it was begun: in that container, or on the host itself',
      },
    )
  }
  signal(found, 'SIGTERM')
  for (let waited = 0; watchdogState(found) === 'there' && waited < patienceMs; waited += STEP_MS)
    await sleep(STEP_MS)
  signal(found, 'SIGKILL')
  while (watchdogState(found) === 'there') await sleep(STEP_MS)
  await endPrograms(found)
}

/**
 * A program that a watchdog had started does its work although the watchdog was killed: what it changes after the undo
 * would stay. It is in the watchdog's session, and has the drill's mark.
 */
async function endPrograms({ watchdog, plan }: JournalContent): Promise<void> {
  if (watchdog === undefined || plan === undefined) return
  for (;;) {
    const left = sessionMembers(pidOf(watchdog), drillMark(plan))
    if (left.length === 0) return
    for (const pid of left) send(pid, 'SIGKILL')
    await sleep(STEP_MS)
  }
}

function pidOf(watchdog: string): number {
  return Number(watchdog.split('.')[0])
}

function signal(found: JournalContent, what: 'SIGTERM' | 'SIGKILL'): void {
  if (watchdogState(found) === 'there') send(pidOf(found.watchdog!), what)
}

function send(pid: number, what: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, what)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // it has just ended
  }
}
