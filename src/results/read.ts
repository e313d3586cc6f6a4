/** Finds and reads what is kept of earlier runs. */
import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { UsageError } from '../errors.js'
import type { Event } from '../history/events.js'
import type { PackedTimeline } from '../history/packed-timeline.js'
import { VIOLATION_SEVERITY, type ViolationKind } from '../oracle/violation.js'
import type { Baseline } from '../report/baseline.js'
import { jsonReport } from '../report/json.js'
import type { RunRates } from '../report/rates.js'
import type { RunResult, ScenarioResult, TrialResult } from '../report/result.js'
import { nearest } from '../scenario/nearest.js'
import { z } from '../vendor/zod.js'
import { lastId, RATES, resultFile, runIds, timelinesFile, trialDirectory, whenMissing } from './folder.js'

/** Runs that a message names. */
const MOST_NAMED = 5

const savedResult = z.looseObject({
  schema: z.literal(1),
  result: z.looseObject({
    tool: z.looseObject({ name: z.string(), version: z.string() }),
    target: z.looseObject({ name: z.string(), version: z.string(), waived: z.looseObject({}) }),
    isolation: z.string(),
    seed: z.string(),
    startedAt: z.iso.datetime(),
    durationMs: z.number(),
    gate: z.looseObject({ target: z.number(), allowDataLoss: z.boolean() }),
    complete: z.boolean(),
    scenarios: z.array(
      z.looseObject({
        name: z.string(),
        title: z.string(),
        volume: z.string(),
        trials: z.array(
          z.looseObject({
            scenario: z.string(),
            seed: z.string(),
            index: z.number(),
            verdict: z.enum(['passed', 'failed', 'inconclusive', 'skipped', 'error']),
            durationMs: z.number(),
            replay: z.string(),
          }),
        ),
      }),
    ),
  }),
})

const count = z.number().int().min(0)

/** As much of a JSON report as a comparison needs. */
const report = z.looseObject({
  schema: z.literal(1),
  target: z.looseObject({ name: z.string(), version: z.string() }),
  startedAt: z.string(),
  scenarios: z.array(
    z.looseObject({
      name: z.string(),
      passed: count,
      failed: count,
      inconclusive: count,
      errors: count,
      known: count.default(0),
      violations: z.array(
        z.looseObject({
          kind: z.enum(Object.keys(VIOLATION_SEVERITY) as [ViolationKind]),
          known: z.string().optional(),
        }),
      ),
    }),
  ),
})

const rates = z.looseObject({
  id: z.string(),
  target: z.string(),
  called: z.string(),
  seed: z.string(),
  met: z.boolean(),
  scenarios: z.array(
    z.looseObject({ name: z.string(), trials: count, passed: count, counted: count, meanMs: z.number() }),
  ),
})

const series = z.array(z.number().int())
const rows = z.array(z.union([z.string(), z.number().int()]))

const packedTimeline: z.ZodType<PackedTimeline | null> = z
  .tuple([z.number(), series, series, series, series, series, series, rows, rows, series])
  .nullable()

/**
 * A run that is kept, as it was, with the timelines of its trials, and the histories of those that did not pass.
 *
 * @param selector an id, the beginning of one, `last`, a directory or a result.json
 * @throws UsageError where there is no such run, or its result is damaged
 */
export async function readRun(selector: string): Promise<RunResult> {
  const { file } = await locate(selector)
  const run = await readResult(file)
  const directory = path.dirname(file)
  const timelines = (await readTimelines(directory)).values()
  const scenarios: ScenarioResult[] = []
  for (const scenario of run.scenarios) {
    const trials = scenario.trials.map((trial) => {
      const timeline = timelines.next().value
      return withHistory(directory, timeline ? { ...trial, timeline } : trial)
    })
    scenarios.push({ ...scenario, trials: await Promise.all(trials) })
  }
  return { ...run, scenarios }
}

/** A run without histories, from its result.json. @throws UsageError where that is damaged */
export async function readResult(file: string): Promise<RunResult> {
  return parseRun(file, await readJson(file))
}

/**
 * An earlier run, to compare with.
 *
 * @param selector what readRun takes, or the file of a JSON report
 * @throws UsageError where there is no such run, or the file is something else
 */
export async function readBaseline(selector: string): Promise<Baseline> {
  const { name, file } = await locate(selector)
  const json = await readJson(file)
  const isReport = typeof json === 'object' && json !== null && !('result' in json)
  const { target, startedAt, scenarios } = checked(
    file,
    report,
    isReport ? json : jsonReport(parseRun(file, json)),
    'a result.json or a JSON report',
  )
  return {
    name,
    target: { name: target.name, version: target.version },
    startedAt,
    scenarios: scenarios.map(({ name, passed, failed, inconclusive, errors, known, violations }) => ({
      name,
      passed,
      counted: passed + failed + inconclusive + errors - known,
      violations: [...new Set(violations.filter((each) => each.known === undefined).map(({ kind }) => kind))],
    })),
  }
}

/**
 * The files of results that paths lead to: a file itself, a directory to every `result.json` in it, however deep.
 * @throws UsageError where a path leads to none
 */
export async function findResults(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    paths.map(async (place) => {
      if (await isFile(place)) return [place]
      const entries = await readdir(place, { recursive: true, withFileTypes: true }).catch(whenMissing([]))
      const files = entries.filter((entry) => entry.isFile() && entry.name === 'result.json')
      if (files.length === 0)
        throw new UsageError(`${place}: no such file, and no directory with a result.json in it`)
      return files.map((entry) => path.join(entry.parentPath, entry.name)).sort()
    }),
  )
  return [...new Set(found.flat())]
}

/** Every run of which there is a line, the oldest first. What is no such line (a full disk leaves half of one) is passed over. */
export async function readRates(): Promise<RunRates[]> {
  const text = await readFile(RATES, 'utf8').catch(whenMissing(''))
  return text.split('\n').flatMap((line) => {
    try {
      return [rates.parse(JSON.parse(line))]
    } catch {
      return [] // half a line, or a blank one
    }
  })
}

/** The runs that can be read, the oldest first. */
export async function savedIds(): Promise<string[]> {
  const ids = await runIds()
  const there = await Promise.all(ids.map((id) => isFile(resultFile(id))))
  return ids.filter((_, index) => there[index])
}

/** @returns a file that is there, and what to call it for good: `last` is soon another */
async function locate(selector: string): Promise<{ readonly name: string; readonly file: string }> {
  const ids = await savedIds()
  const run = (id: string) => ({ name: id, file: resultFile(id) })
  if (selector === 'last') {
    const last = await lastId()
    const id = last !== undefined && ids.includes(last) ? last : ids.at(-1)
    if (id === undefined) throw noRuns()
    return run(id)
  }
  const matching = ids.includes(selector) ? [selector] : ids.filter((id) => id.startsWith(selector))
  if (matching.length === 1) return run(matching[0]!)
  if (matching.length > 1) {
    throw new UsageError(`${matching.length} runs begin with '${selector}'`, { hint: thereIs(matching) })
  }
  for (const file of [selector, path.join(selector, 'result.json')])
    if (await isFile(file)) return { name: selector, file }
  if (selector.includes('/') || selector.endsWith('.json')) {
    throw new UsageError(`${selector}: no such file, and no directory with a result.json in it`)
  }
  if (ids.length === 0) throw noRuns()
  const near = nearest(selector, ids)
  throw new UsageError(`no run is called '${selector}'`, {
    hint: near === undefined ? thereIs(ids) : `did you mean ${near}?`,
  })
}

function noRuns(): UsageError {
  return new UsageError('no run is kept in this directory', {
    hint: 'lightning-chaos run keeps its result in the directory that it runs in',
  })
}

function thereIs(ids: readonly string[]): string {
  const shown = ids.slice(-MOST_NAMED).reverse()
  const left = ids.length - shown.length
  return `there is ${shown.join(', ')}${left === 0 ? '' : `, and ${left} more: lightning-chaos report --list`}`
}

async function isFile(file: string): Promise<boolean> {
  return (await stat(file).catch(whenMissing(undefined)))?.isFile() ?? false
}

function parseRun(file: string, json: unknown): RunResult {
  const { result } = checked(file, savedResult, json, 'a result.json of lightning-chaos')
  // the rest is as it was written: only what tells a result from another file is checked
  return result as unknown as RunResult
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new UsageError(`${file}: cannot be read: ${cause.message}`, { cause })
  })
  return parseJson(file, text)
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new UsageError(`${file}: is damaged, or no JSON: ${(cause as Error).message}`, { cause })
  }
}

function checked<T>(file: string, schema: z.ZodType<T>, json: unknown, what: string): T {
  const { success, data, error } = schema.safeParse(json)
  if (success) return data
  const [issue] = error.issues
  const place = issue === undefined ? '' : ` (${[...issue.path, ''].join('.')} ${issue.message})`
  throw new UsageError(`${file}: is not ${what}${place}`)
}

/** In the order of the trials; runs that an earlier version kept have none. */
async function readTimelines(runDirectory: string): Promise<(PackedTimeline | null)[]> {
  const file = timelinesFile(runDirectory)
  const text = await readFile(file, 'utf8').catch(whenMissing(''))
  const lines = text.split('\n').filter((line) => line !== '')
  return lines.map((line) => checked(file, packedTimeline, parseJson(file, line), 'a file of timelines'))
}

async function withHistory(runDirectory: string, trial: TrialResult): Promise<TrialResult> {
  if (trial.verdict === 'passed' || trial.verdict === 'skipped') return trial
  const directory = trialDirectory(runDirectory, trial)
  const read = (name: string) => readFile(path.join(directory, name), 'utf8').catch(whenMissing(undefined))
  const [history, targetLog] = await Promise.all([read('history.jsonl'), read('target.log')])
  if (history === undefined) return trial
  const lines = history.split('\n').filter((line) => line !== '')
  const events = lines.map((line) => parseJson(path.join(directory, 'history.jsonl'), line) as Event)
  return { ...trial, history: events, ...(targetLog === undefined ? {} : { targetLog }) }
}
