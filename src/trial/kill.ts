/** Ends the target in the middle of its work: SIGKILL comes while it owes answers. */
import { setImmediate, setTimeout } from 'node:timers/promises'
import { RUNNER } from '../history/events.js'
import type { FlatStep } from '../scenario/schema.js'
import type { Random } from '../workload/random.js'
import type { Mix } from '../workload/workload.js'
import type { Driver } from './driver.js'
import type { Session } from './session.js'

interface Scene {
  readonly session: Session
  readonly driver: Driver
  /** Where the moment of the kill is drawn from. */
  readonly stream: Random
}

/** Many batches: they are what a kill can tear. */
const MIX: Mix = { put: 40, delete: 10, batch: 40, get: 10, scan: 0 }
/** More than are answered before the kill, so that it meets some that are not: most often few, as new writes hide lost ones. */
const OPERATIONS = 2000
const MOST_ANSWERS = 30
/** A compaction is killed this long after it was asked for, in milliseconds; how long one takes is not known. */
const COMPACTING = { least: 0.1, most: 30 } as const

/** Kills the target at a moment drawn from the stream; where it has nothing open, at once. */
export async function killDuring(
  during: NonNullable<Extract<FlatStep, { do: 'kill' }>['during']>,
  { session, driver, stream }: Scene,
): Promise<void> {
  const target = session.open
  if (target === undefined) return session.kill()

  const answers = Math.floor(MOST_ANSWERS ** stream.fraction())
  const moment = stream.fraction()
  let killed: Promise<void> | undefined
  const killAfter = async (ms: number) => {
    await pause(ms)
    await session.kill()
  }
  const work: Promise<unknown>[] = []
  if (during === 'compaction' && session.supports('compact')) {
    const { least, most } = COMPACTING
    killed = killAfter(least * (most / least) ** moment)
    work.push(driver.perform(target, RUNNER, { f: 'compact' }))
  }
  const onAnswer = (count: number, tookMs: number) => {
    // within the time of two answers, so that it falls at every stage of the next one
    if (count === answers) killed ??= killAfter(2 * moment * tookMs)
  }
  work.push(
    driver.run(target, {
      operations: OPERATIONS,
      mix: session.supported(MIX),
      untilRefused: false,
      onAnswer,
    }),
  )
  await Promise.all(work)
  await (killed ?? session.kill())
}

/** Waits for a time in milliseconds that may be far below one. */
async function pause(ms: number): Promise<void> {
  const end = performance.now() + ms
  if (ms > 2) await setTimeout(ms - 2)
  while (performance.now() < end) await setImmediate()
}
