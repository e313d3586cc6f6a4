/**
 * The watchdog: a process in a session of its own that injects one fault and undoes it, when its time is up, when it is
 * told to, or when the tool above it is gone, however that came about: that is the end of its stdin. Nothing else changes
 * the host. Its time is measured by the monotonic clock, so that a clock that is set changes nothing.
 */
import { createInterface } from 'node:readline'
import { ChaosError } from '../errors.js'
import { visible } from '../report/words.js'
import { ownerName } from '../sandbox/owner.js'
import { audit } from './audit.js'
import { traceCalls } from './call-trace.js'
import { claim } from './claim.js'
import { UndoError, UntouchedError } from './errors.js'
import type { Injected } from './faults/fault.js'
import { FAULTS } from './faults/index.js'
import { Journal, type JournalContent, journaledDrill, openState } from './journal.js'
import { TIME_IS_UP, type WatchdogNews, type WatchdogOrder } from './messages.js'
import type { DrillPlan } from './plan.js'
import { forget, undoJournal } from './undo.js'

type Known = Pick<JournalContent, 'saved'> & { readonly plan: DrillPlan; readonly watchdog: string }

const stop = new AbortController()
const end = (why: string) => stop.abort(why)

function tell(news: WatchdogNews): void {
  process.stdout.write(`${JSON.stringify(news)}\n`)
}

/** Once all that was told is out: process.exit(3) of Node cuts what a pipe has not taken yet. */
function exit(code: number): void {
  process.stdout.write('', () => process.exit(code))
}

process.stdout.on('error', () => {}) // nobody is left to be told
process.stderr.on('error', () => {})
process.on('SIGTERM', () => end('told to by a signal'))
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {}) // the tool decides

const lines = createInterface({ input: process.stdin })
lines.on('close', () => end('the tool is gone'))
lines.once('line', (first) => {
  lines.on('line', () => end('told to'))
  drill(JSON.parse(first)).then(
    () => exit(0),
    (error) => {
      const undone = !(error instanceof UndoError)
      const hint = error instanceof ChaosError && error.hint !== undefined ? { hint: error.hint } : {}
      tell({ is: 'failed', undone, message: error instanceof Error ? error.message : String(error), ...hint })
      exit(1)
    },
  )
})

async function drill({ plan, state }: WatchdogOrder): Promise<void> {
  const fault = FAULTS[plan.fault]
  openState(state)
  const release = await claim(plan)
  const watchdog = ownerName()!
  const journal = Journal.begin(state, { plan, watchdog })
  const saved = await journal.save(fault.save(plan))
  tell({ is: 'armed', things: saved.length })
  audit(state, plan, 'armed', `${saved.length} things saved`)
  const trace = await traceCalls(plan, fault.errnos).catch(() => undefined) // it is a help, and no reason to stop
  let injected: Injected | undefined
  let broken: unknown
  try {
    injected = await fault.inject(plan, saved, stop.signal)
    audit(state, plan, 'injected', injected.detail)
    tell({ is: 'injected', detail: injected.detail })
    await timeOrStop(plan.forMs)
  } catch (error) {
    broken = error
  }
  if (broken instanceof UntouchedError) {
    forget(state, plan.id)
    throw broken
  }
  const direct = (await trace?.end().catch(() => undefined)) ?? {}
  const why = broken instanceof Error ? broken.message : String(stop.signal.reason ?? TIME_IS_UP)
  tell({ is: 'undoing', why, direct })
  // it may have ended before its time
  const lost = await injected?.release?.().catch((error: Error) => `it could not be kept: ${error.message}`)
  // by what is known here: the journal may be gone, or not be ours any more
  const known = { plan, watchdog, saved, armed: true, damage: [] }
  const {
    plan: _,
    unlogged,
    ...undone
  } = (await undoJournal(state, known).catch((error) => keep(state, known, error)))!
  release() // the next round may begin as soon as the tool is told
  if (broken !== undefined) throw broken
  tell({ is: 'undone', ...undone, ...(lost === undefined ? {} : { gone: lost }) })
}

/** What could not be undone is left to `drill undo`, which has to find it. */
async function keep(state: string, { plan, watchdog, saved }: Known, error: UndoError): Promise<never> {
  if (journaledDrill(state) === plan.id) throw error
  try {
    openState(state)
    await Journal.begin(state, { plan, watchdog }).save(saved)
  } catch (cause) {
    const saying = `${error.message}\nand its journal is gone: ${visible((cause as Error).message)}`
    throw new UndoError(saying, { hint: "see docs/drills.md, 'By hand'", cause })
  }
  throw error
}

function timeOrStop(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    if (stop.signal.aborted) return resolve()
    const timer = setTimeout(resolve, milliseconds)
    stop.signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
