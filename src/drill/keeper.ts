/** The tool's side of a watchdog: starts it, hears what it does, and does its work where it was killed. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { COMMAND_PATH } from '../sandbox/command.js'
import { RefusedError, UndoError } from './errors.js'
import type { Undone } from './faults/fault.js'
import { FAULTS } from './faults/index.js'
import { wasUndone } from './journal.js'
import type { WatchdogNews, WatchdogOrder } from './messages.js'
import { DRILL_VARIABLE, type DrillPlan } from './plan.js'
import { journalGone, undoActive } from './undo.js'

const WATCHDOG = fileURLToPath(new URL('./watchdog.js', import.meta.url))
/** How long a watchdog may take before it is taken for stuck: to inject, and to undo beside what injecting took. */
const INJECT_MS = 600_000
const OVERTIME_MS = 60_000

export interface Ending extends Undone {
  /** Why it was undone when it was, in words. */
  readonly why: string
  /** Calls of the service that failed, by error. */
  readonly direct: Readonly<Record<string, number>>
  /** Set where the watchdog did not do its work, and the tool did it from the journal. */
  readonly without?: true
}

export interface Keeper {
  /** Settles once the fault is on, with what it is in words. Rejects where it is not, with everything undone. */
  readonly injected: Promise<string>
  /** Settles once it begins to undo. */
  readonly undoing: Promise<string>
  /** Settles once everything is undone. Rejects with an UndoError where it could not be. */
  readonly undone: Promise<Ending>
  /** Has it undone before its time. */
  undo(): void
}

export function startWatchdog(plan: DrillPlan, state: string): Keeper {
  const [program, ...args] = withoutPrivileges(plan, [process.execPath, WATCHDOG])
  const child = spawn(program!, args, {
    detached: true, // a session of its own: Ctrl-C in our terminal is not for it
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, PATH: COMMAND_PATH, [DRILL_VARIABLE]: plan.id },
  })
  let stderr = ''
  child.stderr.on('data', (chunk) => (stderr += chunk))
  child.stdin.on('error', () => {}) // it has ended, which its exit tells
  const order: WatchdogOrder = { plan, state }
  child.stdin.write(`${JSON.stringify(order)}\n`)

  const injected = settler<string>()
  const undoing = settler<string>()
  const undone = settler<Ending>()
  const began = performance.now()
  let armed = false
  let end = 'the watchdog was killed'
  let why = ''
  let direct: Ending['direct'] = {}
  let took = 0
  let patience: NodeJS.Timeout | undefined
  const killAfter = (milliseconds: number) => {
    clearTimeout(patience)
    // it is the watchdog that we wait for, not the time
    patience = setTimeout(() => {
      end = 'the watchdog was late, and was killed'
      child.kill('SIGKILL')
    }, milliseconds).unref()
  }
  killAfter(INJECT_MS)

  const fail = (error: Error) => {
    injected.reject(error)
    undone.reject(error)
    undoing.resolve(error.message)
  }
  const hear = (news: WatchdogNews) => {
    switch (news.is) {
      case 'armed':
        armed = true
        return
      case 'injected': {
        took = performance.now() - began
        killAfter(plan.forMs + took + OVERTIME_MS)
        return injected.resolve(news.detail)
      }
      case 'undoing':
        why = news.why
        direct = news.direct
        killAfter(took + OVERTIME_MS)
        return undoing.resolve(why)
      case 'undone': {
        const { is: _, ...found } = news
        return undone.resolve({ ...found, why, direct })
      }
      case 'failed': {
        const options = news.hint === undefined ? {} : { hint: news.hint }
        return fail(
          news.undone ? new RefusedError(news.message, options) : new UndoError(news.message, options),
        )
      }
    }
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    const news = newsIn(line)
    if (news !== undefined) hear(news)
  })
  child.on('error', (error) => fail(new RefusedError(`the watchdog could not be started: ${error.message}`)))
  // 'close' comes after the last line was heard
  child.on('close', async () => {
    clearTimeout(patience)
    if (undone.settled) return
    const lines = stderr.trim().split('\n')
    const last = lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? ''
    undoing.resolve(end)
    if (!armed && last !== '') return fail(new RefusedError(`the watchdog could not be started: ${last}`))
    try {
      const outcome = await undoActive(state, plan.id)
      if (outcome === undefined && armed && !wasUndone(state, plan)) {
        throw journalGone(`${end}, and its journal is gone`)
      }
      const { detail, left, failed } = outcome ?? { detail: 'nothing was left to undo', left: [], failed: [] }
      injected.reject(new RefusedError(`${end} before the fault was on; ${detail}`))
      undone.resolve({ detail, left, failed, why: end, direct, without: true })
    } catch (error) {
      fail(error as Error)
    }
  })
  return {
    injected: injected.promise,
    undoing: undoing.promise,
    undone: undone.promise,
    undo() {
      if (child.stdin.writableEnded) return
      child.stdin.end('undo\n')
      killAfter(took + OVERTIME_MS)
    },
  }
}

/** @returns undefined where it was cut, as its watchdog was killed: that it has ended tells the rest */
function newsIn(line: string): WatchdogNews | undefined {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/** As root, with no more than the fault needs; what is not there to be kept is left out. */
function withoutPrivileges({ fault }: DrillPlan, argv: readonly string[]): readonly string[] {
  if (process.geteuid?.() !== 0) return argv
  // to read its own program, which may lie where root comes by that alone
  const capabilities = ['dac_read_search', ...FAULTS[fault].capabilities]
  const kept = capabilities.map((name) => `,+${name}`).join('')
  return ['setpriv', '--inh-caps=-all', `--bounding-set=-all${kept}`, ...argv]
}

interface Settler<T> {
  readonly promise: Promise<T>
  settled: boolean
  resolve(value: T): void
  reject(error: Error): void
}

function settler<T>(): Settler<T> {
  let resolve: (value: T) => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  promise.catch(() => {}) // not everybody waits for everything
  const self: Settler<T> = {
    promise,
    settled: false,
    resolve(value) {
      self.settled = true
      resolve(value)
    },
    reject(error) {
      self.settled = true
      reject(error)
    },
  }
  return self
}
