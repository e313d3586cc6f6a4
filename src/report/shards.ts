/** A run that is spread over many machines: how it is cut into shards, and how their results become one again. */
import { UsageError } from '../errors.js'
import type { PlannedScenario, RunResult, ScenarioResult, Shard } from './result.js'
import { plural } from './words.js'

/**
 * Which shard each trial belongs to, from 1. The longest trials are dealt out first, each to the shard that has the
 * least to do so far: R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", SIAM J. Appl. Math. 17, 1969. The same
 * for all shards, as long as they know the same times.
 *
 * @param meanMs how long a trial takes; all take the same unless given
 */
export function cutShards(
  planned: readonly PlannedScenario[],
  total: number,
  meanMs: (scenario: string) => number = () => 1,
): (scenario: string, index: number) => number {
  const loads = Array.from({ length: total }, () => 0)
  const owners = new Map<string, number>()
  const trials = planned.flatMap(({ name, trials: count }) =>
    Array.from({ length: count }, (_, index) => ({ name, index, ms: meanMs(name) })),
  )
  for (const { name, index, ms } of trials.sort((a, b) => b.ms - a.ms)) {
    const least = loads.indexOf(Math.min(...loads))
    loads[least] = loads[least]! + ms
    owners.set(key(name, index), least + 1)
  }
  return (scenario, index) => owners.get(key(scenario, index))!
}

function key(scenario: string, index: number): string {
  return `${scenario} ${index}`
}

/** The result of a shard, and the file that it is from. */
export interface NamedResult {
  readonly file: string
  readonly run: RunResult
}

interface Part extends NamedResult {
  readonly shard: Shard
}

/**
 * One result of all shards of a run.
 * @throws UsageError where one is missing or there twice, or they are not of one run
 */
export function mergeShards(results: readonly NamedResult[]): RunResult {
  const parts = results.map(asPart).sort((a, b) => a.shard.index - b.shard.index)
  const [first] = parts
  if (first === undefined) throw new UsageError('there is no result of a shard')
  checkSame(parts)
  checkWhole(parts, first.shard)
  checkTrials(parts, first.shard)

  const { shard: _, ...common } = first.run
  const runs = parts.map(({ run }) => run)
  const begin = Math.min(...runs.map(({ startedAt }) => Date.parse(startedAt)))
  const end = Math.max(...runs.map(({ startedAt, durationMs }) => Date.parse(startedAt) + durationMs))
  return {
    ...common,
    target: runs.find(({ target }) => target.version !== '')?.target ?? common.target,
    isolation: [...new Set(runs.map(({ isolation }) => isolation))].join(' or '),
    shards: parts.length,
    startedAt: new Date(begin).toISOString(),
    durationMs: end - begin,
    complete: runs.every(({ complete }) => complete),
    scenarios: first.shard.planned.flatMap(({ name }) => mergeScenario(name, runs)),
  }
}

function mergeScenario(name: string, runs: readonly RunResult[]): ScenarioResult[] {
  const found = runs.flatMap(({ scenarios }) => scenarios.filter((scenario) => scenario.name === name))
  const trials = found.flatMap((scenario) => scenario.trials).sort((a, b) => a.index - b.index)
  return found.length === 0 ? [] : [{ ...found[0]!, trials }]
}

function asPart({ file, run }: NamedResult): Part {
  if (run.shard === undefined) {
    throw new UsageError(`${file}: is of a whole run, not of a shard`, {
      hint: 'shards are made by lightning-chaos run --shard i/n',
    })
  }
  return { file, run, shard: run.shard }
}

/** What has to be the same in all shards of a run. */
const SAME: Readonly<Record<string, (part: Part) => unknown>> = {
  seeds: ({ run }) => run.seed,
  'versions of lightning-chaos': ({ run }) => run.tool.version,
  targets: ({ run }) => run.target.name,
  'versions of the target': ({ run }) => run.target.version,
  contracts: ({ run }) => run.target.waived,
  'numbers of shards': ({ shard }) => shard.total,
  'terms of the gate': ({ run }) => run.gate,
  'numbers for --repeat-each': ({ run }) => run.repeatEach ?? 1,
  'scenarios and numbers of trials': ({ shard }) => shard.planned,
}

function checkSame(parts: readonly Part[]): void {
  for (const [what, of] of Object.entries(SAME)) {
    const values = new Map<string, Part>()
    for (const part of parts) {
      const value = of(part)
      // a shard in which every trial was skipped never started the target
      if (value !== '' && !values.has(JSON.stringify(value))) values.set(JSON.stringify(value), part)
    }
    if (values.size <= 1) continue
    const some = [...values].slice(0, 3).map(([value, { file }]) => `${short(value)} in ${file}`)
    throw new UsageError(`these are not shards of one run: different ${what}\n${some.join('\n')}`)
  }
}

function short(value: string): string {
  const text = value.replace(/^"(.*)"$/, '$1')
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

function checkWhole(parts: readonly Part[], { total }: Shard): void {
  const indices = Array.from({ length: total }, (_, at) => at + 1)
  const having = (index: number) => parts.filter(({ shard }) => shard.index === index)
  const doubled = indices.find((index) => having(index).length > 1)
  if (doubled !== undefined) {
    const files = having(doubled).map(({ file }) => file)
    throw new UsageError(`shard ${doubled}/${total} is there more than once\n${files.join('\n')}`, {
      hint: 'leave all but one of them out',
    })
  }
  const missing = indices.filter((index) => having(index).length === 0)
  if (missing.length > 0) {
    const words = missing.map((index) => `${index}/${total}`).join(', ')
    throw new UsageError(`${plural(missing.length, 'shard')} missing: ${words}`, {
      hint: 'without it nothing can be said of the whole run',
    })
  }
}

/** Shards that were cut in different ways overlap, and leave gaps. */
function checkTrials(parts: readonly Part[], { planned }: Shard): void {
  const seen = new Map<string, Part>()
  const hint = 'all of them need the same .lightning-chaos/rates.jsonl, or none'
  for (const part of parts) {
    for (const { scenario, index } of part.run.scenarios.flatMap(({ trials }) => trials)) {
      const other = seen.get(key(scenario, index))
      if (other !== undefined) {
        const where = `in shard ${other.shard.index} and in shard ${part.shard.index}`
        throw new UsageError(`trial ${index} of ${scenario} is ${where}: they were cut in different ways`, {
          hint,
        })
      }
      seen.set(key(scenario, index), part)
    }
  }
  if (!parts.every(({ run }) => run.complete)) return
  for (const { name, trials } of planned) {
    const gap = Array.from({ length: trials }, (_, index) => index).find(
      (index) => !seen.has(key(name, index)),
    )
    if (gap !== undefined) {
      throw new UsageError(`trial ${gap} of ${name} is in no shard: they were cut in different ways`, {
        hint,
      })
    }
  }
}
