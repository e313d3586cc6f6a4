/** Keeps the result of a run. */
import { appendFile, mkdir, open, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ratesOf } from '../report/rates.js'
import type { RunResult, TrialResult } from '../report/result.js'
import { replaceFile } from './files.js'
import {
  inFolder,
  LAST,
  RATES,
  RUNS,
  resultFile,
  runId,
  runIds,
  runOf,
  timelinesFile,
  trialDirectory,
  whenMissing,
} from './folder.js'

/** Runs that are kept; all shards of a run are one. */
const MOST_RUNS = 20
/** Trials of one scenario whose history is kept: one has 0.2 MB or more, and the rest can be replayed. */
const MOST_TRIALS = 20

/** What `result.json` holds. */
interface SavedResult {
  readonly schema: 1
  readonly result: RunResult
}

/**
 * Nothing else may be going on in this process: see asOwner.
 * @param called what the user called the target
 * @returns the run's id
 * @throws an Error where the folder cannot be written; the run is then not there, or there as a whole
 */
export async function saveRun(run: RunResult, called: string): Promise<string> {
  return await inFolder(async () => {
    const id = await claim(runId(run))
    const directory = path.join(RUNS, id)
    try {
      for (const trial of run.scenarios.flatMap(({ trials }) =>
        trials.filter(hasHistory).slice(0, MOST_TRIALS),
      ))
        await saveTrial(directory, trial)
      await saveTimelines(directory, run)
      const saved: SavedResult = { schema: 1, result: withoutDetails(run) }
      await replaceFile(resultFile(id), `${JSON.stringify(saved)}\n`)
    } catch (error) {
      await rm(directory, { recursive: true, force: true })
      throw error
    }
    // the other shards of a run have to find what this one found: merge keeps the run
    if (run.shard === undefined) {
      await replaceFile(LAST, `${id}\n`)
      await appendLine(RATES, JSON.stringify(ratesOf(run, { id, called })))
    }
    await forgetOld(id)
    return id
  })
}

/** Two runs can begin in the same millisecond. */
async function claim(id: string, attempt = 1): Promise<string> {
  const name = attempt === 1 ? id : `${id}~${attempt}`
  try {
    await mkdir(path.join(RUNS, name))
    return name
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return await claim(id, attempt + 1)
  }
}

function hasHistory({ history }: TrialResult): boolean {
  return history !== undefined
}

async function saveTrial(runDirectory: string, trial: TrialResult): Promise<void> {
  const directory = trialDirectory(runDirectory, trial)
  const { history = [], targetLog = '', timeline: _, ...rest } = trial
  await mkdir(directory, { recursive: true })
  await writeFile(path.join(directory, 'trial.json'), `${JSON.stringify(rest, null, 2)}\n`)
  await writeFile(
    path.join(directory, 'history.jsonl'),
    history.map((event) => `${JSON.stringify(event)}\n`),
  )
  await writeFile(path.join(directory, 'target.log'), targetLog)
}

async function saveTimelines(runDirectory: string, { scenarios }: RunResult): Promise<void> {
  const trials = scenarios.flatMap((scenario) => scenario.trials)
  await writeFile(
    timelinesFile(runDirectory),
    trials.map(({ timeline = null }) => `${JSON.stringify(timeline)}\n`),
  )
}

function withoutDetails(run: RunResult): RunResult {
  const scenarios = run.scenarios.map((scenario) => ({
    ...scenario,
    trials: scenario.trials.map(({ history: _, targetLog: __, timeline: ___, ...trial }) => trial),
  }))
  return { ...run, scenarios }
}

/** One write a line, so that two runs at once do not mix; and never behind half a line that a full disk has left. */
async function appendLine(file: string, line: string): Promise<void> {
  const begin = (await endsWithLine(file)) ? '' : '\n'
  await appendFile(file, `${begin}${line}\n`)
}

async function endsWithLine(file: string): Promise<boolean> {
  const handle = await open(file).catch(whenMissing(undefined))
  if (handle === undefined) return true
  try {
    const { size } = await handle.stat()
    const { buffer } = await handle.read({ buffer: Buffer.alloc(1), position: Math.max(0, size - 1) })
    return size === 0 || buffer.toString() === '\n'
  } finally {
    await handle.close()
  }
}

/** @param own stays, however long the run took */
async function forgetOld(own: string): Promise<void> {
  const others = (await runIds()).filter((id) => runOf(id) !== runOf(own))
  const latest = [...new Set(others.map(runOf).reverse())].slice(0, MOST_RUNS - 1)
  for (const id of others.filter((each) => !latest.includes(runOf(each))))
    await rm(path.join(RUNS, id), { recursive: true, force: true })
}
