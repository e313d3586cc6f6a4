/** Undoes a drill from its journal alone. Safe to repeat, and for two at once. */
import { setTimeout as sleep } from 'node:timers/promises'
import { visible } from '../report/words.js'
import { isForkFailure } from '../sandbox/command.js'
import { ownerName } from '../sandbox/owner.js'
import { audit } from './audit.js'
import { forgetTrace } from './call-trace.js'
import { UndoError } from './errors.js'
import type { Undone } from './faults/fault.js'
import { FAULTS } from './faults/index.js'
import {
  bootId,
  isNamespaceGone,
  isRunning,
  processesWith,
  processState,
  starterOf,
} from './host/processes.js'
import { until } from './host/wait.js'
import { activeDirectory, type JournalContent, readJournal, removeJournal, wasUndone } from './journal.js'
import { type DrillPlan, drillMark } from './plan.js'
import { aloneIn } from './undo-lock.js'

/** How long a watchdog may take to undo before it is ended and the journal is undone without it. */
const UNDOING = { milliseconds: 120_000, stepMs: 20 }
/** How long the kernel may take to end what is killed. */
const KILLING = { milliseconds: 30_000, stepMs: 20 }
/** How long a host may be unable to start a program. */
const FORKING = { milliseconds: 300_000, stepMs: 500 }

/** What an undo did. */
export interface Outcome extends Undone {
  readonly plan: DrillPlan
  /** Why the audit log does not have it, in words. */
  readonly unlogged?: string
}

/**
 * Undoes whatever is active, with its watchdog's help where that is still there.
 * @param only this drill, where another one may be active
 * @returns undefined where nothing was to be undone
 * @throws UndoError where something could not be put back; the journal is kept then
 */
export async function undoActive(state: string, only?: string): Promise<Outcome | undefined> {
  const found = readJournal(state)
  if (found === undefined || (only !== undefined && found.plan?.id !== only && !isJustBegun(found)))
    return undefined
  await endWatchdog(found)
  return await aloneIn(state, async () => {
    await endPrograms(found)
    const left = readJournal(state)
    if (left?.plan?.id === found.plan?.id && left !== undefined) return await undoJournal(state, left)
    if (found.plan !== undefined && !wasUndone(state, found.plan))
      throw journalGone('the journal went while its watchdog was ended')
    const detail = 'by its watchdog, or another undo, which was at work'
    return found.plan && { plan: found.plan, detail, left: [], failed: [] }
  })
}

/**
 * A directory and nothing in it: its watchdog was killed right after it had made that. Should it be another drill's after
 * all, which is about to write there, that one is refused before it has touched anything.
 */
function isJustBegun({ plan, armed, damage }: JournalContent): boolean {
  return plan === undefined && !armed && damage.length === 0
}

/**
 * Undoes what a journal says, and removes it once that is done. Nobody else may hold what the drill holds by then.
 * @throws UndoError where something could not be put back, or the journal is damaged; it is kept then
 */
export async function undoJournal(state: string, found: JournalContent): Promise<Outcome | undefined> {
  const { plan, watchdog, saved, armed, damage } = found
  if (watchdog !== undefined) dropTrace(watchdog)
  if (!armed && damage.length === 0) {
    forget(state, plan?.id)
    return plan && { plan, detail: 'nothing had been changed yet', left: [], failed: [] }
  }
  if (plan === undefined) throw damaged(state, damage, undefined)
  const undone = await attempt(plan, saved)
  if (undone.failed.length > 0) {
    audit(state, plan, 'not-undone', undone.failed.join('; '))
    throw new UndoError(`not everything could be put back:\n${undone.failed.map(visible).join('\n')}`, {
      hint: `what could not is still in ${activeDirectory(state)}; once the reason is gone: lightning-chaos drill undo`,
    })
  }
  if (damage.length > 0) {
    audit(state, plan, 'not-undone', damage.join('; '))
    throw damaged(state, damage, undone)
  }
  const unlogged = audit(state, plan, 'undone', undone.detail)
  forget(state, plan.id)
  return { plan, ...undone, ...(unlogged === undefined ? {} : { unlogged }) }
}

function dropTrace(watchdog: string): void {
  try {
    forgetTrace(watchdog)
  } catch {
    // somebody reads it, or may not write there: it does no harm, and is no reason to leave a fault where it is
  }
}

/** @throws UndoError where the journal stays, of which nothing is left to be undone */
export function forget(state: string, id: string | undefined): void {
  try {
    removeJournal(state, id)
  } catch (error) {
    throw new UndoError(`all is undone, and its journal cannot be removed: ${(error as Error).message}`, {
      hint: `no drill begins as long as it is there; remove it: rm -r ${activeDirectory(state)}`,
      cause: error,
    })
  }
}

/** Again where the host can start no program at that moment: those that wait for the fault may be why (fork(2), EAGAIN). */
async function attempt(plan: DrillPlan, saved: JournalContent['saved']): Promise<Undone> {
  let isFirst = true
  for (const deadline = performance.now() + FORKING.milliseconds; ; await sleep(FORKING.stepMs)) {
    try {
      const { gone, ...undone } = await FAULTS[plan.fault].undo(plan, saved)
      // what is gone by a second attempt may have gone by the first
      return isFirst && gone !== undefined ? { ...undone, gone } : undone
    } catch (error) {
      isFirst = false
      if (isForkFailure(error) && performance.now() < deadline) continue
      return { detail: 'nothing could be undone', left: [], failed: [(error as Error).message] }
    }
  }
}

function damaged(state: string, damage: readonly string[], undone: Undone | undefined): UndoError {
  const did =
    undone === undefined ? 'nothing could be undone' : `what can be read of it is undone: ${undone.detail}`
  return new UndoError(`the undo journal is damaged (${damage.join(', ')}); ${did}`, {
    hint: `see docs/drills.md, 'By hand'; when all is well, remove ${activeDirectory(state)}`,
  })
}

/** @param how it came about, in words */
export function journalGone(how: string): UndoError {
  return new UndoError(`${how}: nothing could be undone`, { hint: "see docs/drills.md, 'By hand'" })
}

/**
 * Whether the watchdog of a journal is at work. `elsewhere`: that can only be told in another pid namespace, as long as
 * that is there.
 */
export function watchdogState({ watchdog, plan }: JournalContent): 'there' | 'gone' | 'elsewhere' {
  if (watchdog === undefined || (plan !== undefined && plan.bootId !== bootId())) return 'gone'
  const [pid = '', start = '', namespace] = watchdog.split('.')
  if (namespace !== ownerName()?.split('.')[2])
    return namespace !== undefined && isNamespaceGone(`pid:[${namespace}]`) ? 'gone' : 'elsewhere'
  return isRunning({ pid: Number(pid), start }) ? 'there' : 'gone'
}

async function endWatchdog(found: JournalContent): Promise<void> {
  if (watchdogState(found) === 'elsewhere') {
    throw new UndoError(
      'the drill was begun in another pid namespace, and its watchdog may be at work there',
      {
        hint: 'undo it where it was begun, in that container; once that has ended, on the host itself',
      },
    )
  }
  signal(found, 'SIGTERM')
  const isGone = () => watchdogState(found) !== 'there'
  if (!(await until(isGone, UNDOING))) {
    signal(found, 'SIGKILL')
    await until(isGone, KILLING) // where even that does not end it, only the undo can
  }
}

/**
 * A program that a watchdog had started does its work although the watchdog was killed: what it changes after the undo
 * would stay. It has the drill's mark, in whatever session it is. Others may have it, too, as the id is no secret: whom we
 * have not started is not waited for, and nobody for as long as ever new ones come. Another undo that is at work has started
 * some, too.
 */
async function endPrograms({ watchdog, plan }: JournalContent): Promise<void> {
  if (watchdog === undefined || plan === undefined) return
  const killAll = () => {
    const programs = processesWith(drillMark(plan)).filter((pid) => pid !== pidOf(watchdog))
    for (const pid of programs) send(pid, 'SIGKILL')
    return programs.filter((pid) => starterOf(pid) === process.getuid?.())
  }
  if (await until(() => killAll().length === 0, KILLING)) return
  const last = killAll().flatMap((pid) => processState(pid) ?? [])
  if (await until(() => !last.some(isRunning), KILLING)) return
  const stuck = last.filter(isRunning).map(({ pid }) => pid)
  throw new UndoError(
    `a program of the drill cannot be ended, and may still change something: ${stuck.join(', ')}`,
    {
      hint: 'once it has ended: lightning-chaos drill undo',
    },
  )
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
    // it has just ended, or is somebody else's: whoever waits for it sees that
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
