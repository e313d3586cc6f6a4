/**
 * The folder in the working directory that results are kept in:
 *
 *     .gitignore                     everything
 *     last                           the id of the last run
 *     rates.jsonl                    a line for each run there ever was
 *     runs/<id>/result.json          without the histories and the timelines
 *     runs/<id>/timelines.jsonl      a line for each trial, in the order of result.json; null: it did not run
 *     runs/<id>/failed/<trial>/      trial.json, history.jsonl, target.log of a trial that did not pass
 */
import { lstat, mkdir, readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { HostError } from '../errors.js'
import type { RunResult, TrialResult } from '../report/result.js'
import { replaceFile } from './files.js'
import { asOwner } from './owner.js'

export const FOLDER = '.lightning-chaos'
/** Where the target's files are kept, unless the user names another place. */
export const KEPT = path.join(FOLDER, 'kept')
export const LAST = path.join(FOLDER, 'last')
export const RATES = path.join(FOLDER, 'rates.jsonl')
export const RUNS = path.join(FOLDER, 'runs')

/** What we call a run, or a shard of one, and nobody else calls a directory. */
const ID = /^\d{8}T\d{6}\.\d{3}Z-(?<seed>[\w.-]+?)(?<shard>\+\d+-of-\d+)?(~\d+)?$/

/** Sorts by the time at which a run began. */
export function runId({ startedAt, seed, shard }: Pick<RunResult, 'startedAt' | 'seed' | 'shard'>): string {
  const part = shard === undefined ? '' : `+${shard.index}-of-${shard.total}`
  return `${startedAt.replace(/[-:]/g, '')}-${seed.replace(/[^\w.-]/g, '-')}${part}`
}

/** What the shards of one run have in common; of a whole run, its id. */
export function runOf(id: string): string {
  const { seed, shard } = ID.exec(id)?.groups ?? {}
  return shard === undefined ? id : seed!
}

export function resultFile(id: string): string {
  return path.join(RUNS, id, 'result.json')
}

export function timelinesFile(runDirectory: string): string {
  return path.join(runDirectory, 'timelines.jsonl')
}

/** The directory of a trial, beside the run's result. */
export function trialDirectory(runDirectory: string, { scenario, seed, index }: TrialResult): string {
  return path.join(runDirectory, 'failed', `${scenario.replaceAll('/', '-')}-${seed}.${index}`)
}

/** The runs of this folder, the oldest first, also those of which nothing but a directory is there yet. */
export async function runIds(): Promise<string[]> {
  const entries = await readdir(RUNS, { withFileTypes: true }).catch(whenMissing([]))
  return entries
    .filter((entry) => entry.isDirectory() && ID.test(entry.name))
    .map(({ name }) => name)
    .sort()
}

/** The run that `last` names. */
export async function lastId(): Promise<string | undefined> {
  return (await readFile(LAST, 'utf8').catch(whenMissing(undefined)))?.trim()
}

/**
 * Makes the folder where it is not there, and calls `use` with the rights of its owner.
 * @throws HostError or an error of the file system
 */
export async function inFolder<T>(use: () => Promise<T>): Promise<T> {
  await asOwner(await stat('.'), () => mkdir(FOLDER)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  const status = await lstat(FOLDER)
  // a link would lead to a place that nobody meant
  if (!status.isDirectory()) throw new HostError('it is not a directory')
  // theirs could hold links as well, and we may not become them
  const self = process.geteuid?.() ?? status.uid
  if (self !== 0 && self !== status.uid) throw new HostError(`it belongs to another user, ${status.uid}`)
  return await asOwner(status, async () => {
    await mkdir(RUNS, { recursive: true })
    const ignore = path.join(FOLDER, '.gitignore')
    if ((await stat(ignore).catch(whenMissing(undefined))) === undefined) await replaceFile(ignore, '*\n')
    return await use()
  })
}

/** For `catch`: the value that stands for a file that is not there. */
export function whenMissing<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return value
    throw error
  }
}
