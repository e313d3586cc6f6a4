import { describe, expect, it } from 'vitest'
import { engineSeed, engineShard } from './shard.js'

const SLURM = {
  SLURM_ARRAY_JOB_ID: '4711',
  SLURM_ARRAY_TASK_ID: '7',
  SLURM_ARRAY_TASK_MIN: '3',
  SLURM_ARRAY_TASK_MAX: '9',
  SLURM_ARRAY_TASK_COUNT: '4',
  SLURM_ARRAY_TASK_STEP: '2',
}

describe('engineShard', () => {
  it.each<[string, Record<string, string>, [number, number, string]]>([
    [
      "GitHub's matrix, passed on",
      { LIGHTNING_CHAOS_JOB_INDEX: '0', LIGHTNING_CHAOS_JOB_TOTAL: '4' },
      [1, 4, 'LIGHTNING_CHAOS_JOB_INDEX and LIGHTNING_CHAOS_JOB_TOTAL'],
    ],
    [
      'GitLab',
      { GITLAB_CI: 'true', CI_NODE_INDEX: '4', CI_NODE_TOTAL: '4' },
      [4, 4, 'CI_NODE_INDEX and CI_NODE_TOTAL'],
    ],
    [
      'CircleCI',
      { CIRCLECI: 'true', CIRCLE_NODE_INDEX: '3', CIRCLE_NODE_TOTAL: '4' },
      [4, 4, 'CIRCLE_NODE_INDEX and CIRCLE_NODE_TOTAL'],
    ],
    [
      'Kubernetes',
      { JOB_COMPLETION_INDEX: '2', LIGHTNING_CHAOS_JOB_TOTAL: '5' },
      [3, 5, 'JOB_COMPLETION_INDEX and LIGHTNING_CHAOS_JOB_TOTAL'],
    ],
    ['Slurm', SLURM, [3, 4, 'SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT']],
  ])('reads %s', (_, environment, [index, total, from]) => {
    expect(engineShard(environment)).toEqual({ index, total, from })
  })

  it.each<[string, Record<string, string>]>([
    ['there is no engine', {}],
    ['GitLab has a job without parallel', { GITLAB_CI: 'true', CI_NODE_TOTAL: '1' }],
    ['CircleCI has one node', { CIRCLECI: 'true', CIRCLE_NODE_INDEX: '0', CIRCLE_NODE_TOTAL: '1' }],
    ['another service uses the names of GitLab', { CI_NODE_INDEX: '1', CI_NODE_TOTAL: '4' }],
    [
      'variables are empty',
      { JOB_COMPLETION_INDEX: '', LIGHTNING_CHAOS_JOB_TOTAL: '', SLURM_ARRAY_TASK_ID: '' },
    ],
  ])('has no shard where %s', (_, environment) => {
    expect(engineShard(environment)).toBeUndefined()
  })

  it.each<[string, Record<string, string>, string]>([
    [
      'no number',
      { GITLAB_CI: 'true', CI_NODE_INDEX: 'x', CI_NODE_TOTAL: '4' },
      "CI_NODE_INDEX: found 'x', expected a whole number",
    ],
    [
      'a pod that is not told how many there are',
      { JOB_COMPLETION_INDEX: '2' },
      'JOB_COMPLETION_INDEX is set, but not LIGHTNING_CHAOS_JOB_TOTAL, which says of how many',
    ],
    [
      'a number too high',
      { JOB_COMPLETION_INDEX: '5', LIGHTNING_CHAOS_JOB_TOTAL: '5' },
      'JOB_COMPLETION_INDEX and LIGHTNING_CHAOS_JOB_TOTAL: they make shard 6/5, which there is not',
    ],
    [
      'an array with gaps',
      { ...SLURM, SLURM_ARRAY_TASK_MAX: '20' },
      "the Slurm array from 3 to 20 has gaps, so a task's number says little",
    ],
  ])('refuses %s', (_, environment, message) => {
    expect(() => engineShard(environment)).toThrow(message)
  })
})

describe('engineSeed', () => {
  it.each<[Record<string, string>, string, string]>([
    [{ GITHUB_RUN_ID: '99' }, 'github-99', 'GITHUB_RUN_ID'],
    [{ CI_PIPELINE_ID: '99' }, 'gitlab-99', 'CI_PIPELINE_ID'],
    [
      { CIRCLE_WORKFLOW_ID: '0b3c5a1e-7c1d-4f6e-9d55-3a1a7b0b0c11' },
      'circleci-0b3c5a1e-7c1d-4f6e-9d55-3a1a7b0b0c11',
      'CIRCLE_WORKFLOW_ID',
    ],
    [SLURM, 'slurm-4711', 'SLURM_ARRAY_JOB_ID'],
  ])('is the name of the run: %j', (environment, seed, from) => {
    expect(engineSeed(environment)).toEqual({ seed, from })
  })

  it('is not there without an engine', () => {
    expect(engineSeed({ GITHUB_RUN_ID: '' })).toBeUndefined()
  })
})
