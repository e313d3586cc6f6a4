/**
 * Which part of a run this machine has, and the seed that all parts share, from what an engine sets in the environment:
 *
 * - GitHub: https://docs.github.com/actions/reference/contexts-reference#strategy-context, passed on by the workflow
 * - GitLab: https://docs.gitlab.com/ci/variables/predefined_variables/
 * - CircleCI: https://circleci.com/docs/reference/variables/
 * - Kubernetes: https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
 * - Slurm: https://slurm.schedmd.com/job_array.html
 */
import { UsageError } from '../errors.js'
import type { ShardChoice } from './options.js'

type Environment = Readonly<Record<string, string | undefined>>

/** Where an engine says which of how many it is. */
interface Engine {
  readonly index: string
  readonly total: string
  /** The number of the first one. */
  readonly first: 0 | 1
  /** Without it, the others mean something else. */
  readonly mark?: string
}

/** By hand, where an engine does not say it by itself: GitHub's matrix, and the number of Kubernetes' pods. */
const JOB_INDEX = 'LIGHTNING_CHAOS_JOB_INDEX'
const JOB_TOTAL = 'LIGHTNING_CHAOS_JOB_TOTAL'

const ENGINES: readonly Engine[] = [
  { index: JOB_INDEX, total: JOB_TOTAL, first: 0 },
  { index: 'JOB_COMPLETION_INDEX', total: JOB_TOTAL, first: 0 },
  { index: 'CI_NODE_INDEX', total: 'CI_NODE_TOTAL', first: 1, mark: 'GITLAB_CI' },
  { index: 'CIRCLE_NODE_INDEX', total: 'CIRCLE_NODE_TOTAL', first: 0, mark: 'CIRCLECI' },
]

const SLURM = {
  id: 'SLURM_ARRAY_TASK_ID',
  least: 'SLURM_ARRAY_TASK_MIN',
  most: 'SLURM_ARRAY_TASK_MAX',
  step: 'SLURM_ARRAY_TASK_STEP',
  count: 'SLURM_ARRAY_TASK_COUNT',
} as const

/** What is the same for all jobs of one run, and not for the next one. */
const RUNS: Readonly<Record<string, string>> = {
  GITHUB_RUN_ID: 'github',
  CI_PIPELINE_ID: 'gitlab',
  CIRCLE_WORKFLOW_ID: 'circleci',
  SLURM_ARRAY_JOB_ID: 'slurm',
}

/** Every variable that is looked at. */
export const SHARD_VARIABLES: readonly string[] = [
  ...ENGINES.flatMap(({ index, total }) => [index, total]),
  ...Object.values(SLURM),
  ...Object.keys(RUNS),
]

/**
 * The shard that the engine around us gives this machine; undefined where it gives none, or there is one machine only.
 * @throws UsageError where what it says makes no sense
 */
export function engineShard(environment: Environment): ShardChoice | undefined {
  const engine = ENGINES.find(({ index, mark }) => environment[index] && (!mark || environment[mark]))
  if (engine === undefined) return environment[SLURM.id] ? slurmShard(environment) : undefined
  if (!environment[engine.total]) {
    throw new UsageError(`${engine.index} is set, but not ${engine.total}, which says of how many`, {
      hint: `set it as well; --no-shard runs everything`,
    })
  }
  const index = whole(environment, engine.index) - engine.first + 1
  return checked(index, whole(environment, engine.total), `${engine.index} and ${engine.total}`)
}

/** A seed that all shards of one run have; undefined where the engine around us has no name for a run. */
export function engineSeed(environment: Environment): { seed: string; from: string } | undefined {
  for (const [variable, prefix] of Object.entries(RUNS)) {
    const run = environment[variable]
    if (run) return { seed: `${prefix}-${run.replace(/[^\w.-]/g, '-')}`.slice(0, 64), from: variable }
  }
  return undefined
}

function slurmShard(environment: Environment): ShardChoice | undefined {
  const [id, least, most, count] = [SLURM.id, SLURM.least, SLURM.most, SLURM.count].map((name) =>
    whole(environment, name),
  ) as [number, number, number, number]
  const step = environment[SLURM.step] ? whole(environment, SLURM.step) : 1
  if (most - least !== (count - 1) * step) {
    throw new UsageError(
      `the Slurm array from ${least} to ${most} has gaps, so a task's number says little`,
      {
        hint: 'use --array=1-N, or --shard i/n',
      },
    )
  }
  return checked((id - least) / step + 1, count, `${SLURM.id} and ${SLURM.count}`)
}

function checked(index: number, total: number, from: string): ShardChoice | undefined {
  if (!(index >= 1 && index <= total)) {
    throw new UsageError(`${from}: they make shard ${index}/${total}, which there is not`, {
      hint: '--shard i/n says which it is, --no-shard runs everything',
    })
  }
  return total === 1 ? undefined : { index, total, from }
}

function whole(environment: Environment, name: string): number {
  const text = environment[name] ?? ''
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new UsageError(`${name}: found '${text}', expected a whole number`, {
    hint: '--shard i/n says which shard it is, --no-shard runs everything',
  })
}
