/** `merge`: one result, and one gate, of all shards of a run. */
import { type ExitCode, UsageError } from '../errors.js'
import { mergeShards, type NamedResult } from '../report/shards.js'
import { FOLDER } from '../results/folder.js'
import { findResults, readResult, readRun } from '../results/read.js'
import { exitCode } from './exit-code.js'
import { keepResult } from './keep-result.js'
import type { ReporterChoice } from './options.js'
import { openOutputs } from './outputs.js'
import type { Screen } from './screen.js'

export interface MergeOptions {
  /** Of the run whose shards are meant. */
  readonly seed?: string
  readonly reporter?: readonly ReporterChoice[]
  readonly output?: string
  readonly save?: boolean
}

/**
 * @param paths results, or directories with results in them; none: the shards of the latest run in the folder
 * @returns the exit code
 */
export async function merge(
  paths: readonly string[],
  options: MergeOptions,
  screen: Screen,
): Promise<ExitCode> {
  const outputs = await openOutputs(options.reporter ?? [], options.output)
  const found = await findShards(paths.length === 0 ? [FOLDER] : paths)
  const seed = options.seed ?? (paths.length === 0 ? latest(found)?.run.seed : undefined)
  const wanted = seed === undefined ? found : found.filter(({ run }) => run.seed === seed)
  if (wanted.length === 0) {
    const seeds = [...new Set(found.map(({ run }) => run.seed))]
    throw new UsageError(`no shard ${seed === undefined ? 'of a run' : `with seed ${seed}`} is there`, {
      hint:
        seeds.length === 0 ? 'lightning-chaos run --shard i/n makes them' : `there is ${seeds.join(', ')}`,
    })
  }
  // only now, with the histories of the trials that did not pass
  const shards = await Promise.all(wanted.map(async ({ file }) => ({ file, run: await readRun(file) })))
  const result = mergeShards(shards)
  if (options.save) await keepResult(result, shards[0]!.run.shard!.called, screen)
  await outputs.write(result, screen)
  return exitCode(result)
}

/** What a directory holds beside shards is passed over; what was named is not. */
async function findShards(paths: readonly string[]): Promise<NamedResult[]> {
  const files = await findResults(paths)
  const results = await Promise.all(files.map(async (file) => ({ file, run: await readResult(file) })))
  return results.filter(({ file, run }) => run.shard !== undefined || paths.includes(file))
}

function latest(results: readonly NamedResult[]): NamedResult | undefined {
  return [...results].sort((a, b) => a.run.startedAt.localeCompare(b.run.startedAt)).at(-1)
}
