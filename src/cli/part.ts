/** Which trials of a run are to be done here, and how long they take. */
import { UsageError } from '../errors.js'
import { lastMeans } from '../report/rates.js'
import type { PlannedScenario, Shard } from '../report/result.js'
import { cutShards } from '../report/shards.js'
import { plural } from '../report/words.js'
import { readRates } from '../results/read.js'
import type { ShardChoice } from './options.js'

export interface Part {
  /** Undefined: all of the run. */
  readonly shard: Shard | undefined
  readonly isOurs: ((scenario: string, index: number) => boolean) | undefined
  readonly ours: readonly PlannedScenario[]
  /** As lastMeans gives it. */
  readonly meanMs: ((scenario: string) => number) | undefined
}

/**
 * @param planned all trials of the run
 * @param called what the user called the target
 * @throws UsageError where a shard would have nothing to do
 */
export async function ourPart(
  planned: readonly PlannedScenario[],
  called: string,
  choice: ShardChoice | false | undefined,
): Promise<Part> {
  const rates = await readRates().catch(() => []) // an estimate is not worth an error
  const meanMs = lastMeans(rates, called, planned)
  if (!choice || choice.total === 1) return { shard: undefined, isOurs: undefined, ours: planned, meanMs }
  const { index, total } = choice
  if (total > sum(planned)) {
    throw new UsageError(
      `${total} shards for ${plural(sum(planned), 'trial')}: some would have nothing to do`,
      {
        hint: 'use fewer shards, or more trials: --trials N',
      },
    )
  }
  const shardOf = cutShards(planned, total, meanMs)
  const isOurs = (scenario: string, trial: number) => shardOf(scenario, trial) === index
  const ours = planned.map(({ name, trials }) => ({
    name,
    trials: Array.from({ length: trials }, (_, trial) => isOurs(name, trial)).filter(Boolean).length,
  }))
  return { shard: { ...choice, called, planned }, isOurs, ours, meanMs }
}

/** 'shard 2/4 (CI_NODE_INDEX and CI_NODE_TOTAL): 52 of 208 trials'. */
export function shardSentence({ index, total, from, planned }: Shard, ours: Part['ours']): string {
  return `shard ${index}/${total} (${from}): ${sum(ours)} of ${plural(sum(planned), 'trial')}`
}

function sum(some: readonly PlannedScenario[]): number {
  return some.reduce((total, { trials }) => total + trials, 0)
}
