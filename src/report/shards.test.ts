import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runResult, scenario, trials } from '../testing/results.js'
import { judgeGate } from './gate.js'
import { jsonReport } from './json.js'
import type { PlannedScenario, RunResult } from './result.js'
import { cutShards, mergeShards } from './shards.js'

const planned = [
  { name: 'diskfull/open', trials: 4 },
  { name: 'diskfull/sweep', trials: 3 },
]

/** The trials of each shard: [scenario, index]. */
function cut(scenarios: readonly PlannedScenario[], total: number, meanMs?: (name: string) => number) {
  const shardOf = cutShards(scenarios, total, meanMs)
  const shards: [string, number][][] = Array.from({ length: total }, () => [])
  for (const { name, trials: count } of scenarios)
    for (let index = 0; index < count; index++) shards[shardOf(name, index) - 1]!.push([name, index])
  return shards
}

describe('cutShards', () => {
  it('deals them out in turn where nothing is known of their times', () => {
    expect(cut(planned, 2)).toEqual([
      [
        ['diskfull/open', 0],
        ['diskfull/open', 2],
        ['diskfull/sweep', 0],
        ['diskfull/sweep', 2],
      ],
      [
        ['diskfull/open', 1],
        ['diskfull/open', 3],
        ['diskfull/sweep', 1],
      ],
    ])
  })

  it('puts a long one against several short ones', () => {
    const times: Record<string, number> = { 'diskfull/open': 100, 'diskfull/sweep': 900 }
    const loads = cut(planned, 3, (name) => times[name]!).map((shard) =>
      shard.reduce((sum, [name]) => sum + times[name]!, 0),
    )
    expect(loads).toEqual([1100, 1000, 1000])
    const last = [...planned.slice(1), { name: 'diskfull/long', trials: 1 }]
    expect(
      cut(last, 2, (name) => (name === 'diskfull/long' ? 300 : 100)).map((shard) => shard.length),
    ).toEqual([1, 3])
  })

  it('gives each trial to one shard, and no shard more than one trial above its share', () => {
    const scenarios = fc.uniqueArray(
      fc.record({ name: fc.string({ minLength: 1 }), trials: fc.integer({ min: 1, max: 20 }) }),
      { selector: ({ name }) => name, minLength: 1, maxLength: 8 },
    )
    const times = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 8, maxLength: 8 })
    fc.assert(
      fc.property(scenarios, times, fc.integer({ min: 1, max: 9 }), (some, ms, total) => {
        const meanMs = (name: string) => ms[some.findIndex((each) => each.name === name)]!
        const shards = cut(some, total, meanMs)
        const sum = (shard: [string, number][]) => shard.reduce((all, [name]) => all + meanMs(name), 0)
        const whole = sum(shards.flat())
        expect(shards.flat()).toHaveLength(some.reduce((all, each) => all + each.trials, 0))
        for (const shard of shards) expect(sum(shard)).toBeLessThanOrEqual(whole / total + Math.max(...ms))
        expect(cut(some, total, meanMs)).toEqual(shards)
      }),
    )
  })
})

/** The shards of one run, all of whose trials passed. */
function shards(total: number, draft: Partial<RunResult> = {}) {
  return cut(planned, total).map((ours, at) => ({
    file: `${at + 1}.json`,
    run: runResult({
      startedAt: new Date(Date.UTC(2026, 0, 2, 0, 0, at)).toISOString(),
      durationMs: 1000 * (total - at),
      shard: { index: at + 1, total, from: '--shard', called: 'lightning', planned },
      scenarios: planned.flatMap(({ name, trials: count }) => {
        const all = trials(count, 'passed').map((each, index) => ({ ...each, index }))
        const some = all.filter(({ index }) => ours.some(([other, i]) => other === name && i === index))
        return some.length === 0 ? [] : [scenario(name, some)]
      }),
      ...draft,
    }),
  }))
}

describe('mergeShards', () => {
  it('makes the one result that the run would have had, in whatever order the shards come', () => {
    const merged = mergeShards(shards(3).reverse())
    expect(merged.scenarios.map(({ name, trials: all }) => [name, all.map(({ index }) => index)])).toEqual([
      ['diskfull/open', [0, 1, 2, 3]],
      ['diskfull/sweep', [0, 1, 2]],
    ])
    expect(merged).toMatchObject({
      shards: 3,
      complete: true,
      startedAt: '2026-01-02T00:00:00.000Z',
      durationMs: 3000,
    })
    expect(merged).not.toHaveProperty('shard')
    expect(judgeGate(merged).line).toBe('PASS 100.0% (7/7) >= 95%')
    expect(jsonReport(merged)).toMatchObject({ shards: 3 })
    expect(jsonReport(shards(3)[1]!.run).shard).toEqual({ index: 2, total: 3, from: '--shard' })
  })

  it('is not complete where a shard is not', () => {
    const some = shards(2)
    const [first, second] = [some[0]!, some[1]!]
    const stopped = { ...second.run, complete: false, scenarios: second.run.scenarios.slice(0, 1) }
    const merged = mergeShards([first, { ...second, run: stopped }])
    expect(judgeGate(merged)).toMatchObject({ met: false, reasons: ['the run is not complete'] })
  })

  it('takes a shard that could run nothing, and does not know the version of its target', () => {
    const some = shards(2)
    const skipped = some[1]!.run.scenarios.map((each) =>
      scenario(
        each.name,
        each.trials.map((one) => ({ ...one, verdict: 'skipped' as const })),
      ),
    )
    const target = { ...some[1]!.run.target, version: '' }
    const merged = mergeShards([
      some[0]!,
      { file: '2', run: { ...some[1]!.run, target, isolation: 'user', scenarios: skipped } },
    ])
    expect(merged).toMatchObject({ target: { version: '1.0.0' }, isolation: 'root or user' })
  })

  const [one, two, three] = shards(3)
  const other = (draft: Partial<RunResult>) => ({ file: 'other.json', run: { ...two!.run, ...draft } })
  it.each<[string, Parameters<typeof mergeShards>[0], string]>([
    ['nothing', [], 'there is no result of a shard'],
    ['a missing shard', [one!, three!], '1 shard missing: 2/3'],
    [
      'a doubled shard',
      [one!, two!, three!, other({})],
      'shard 2/3 is there more than once\n2.json\nother.json',
    ],
    [
      'a whole run',
      [one!, { file: 'x.json', run: runResult() }],
      'x.json: is of a whole run, not of a shard',
    ],
    [
      'another seed',
      [one!, other({ seed: 'b' }), three!],
      'these are not shards of one run: different seeds\nseed in 1.json\nb in other.json',
    ],
    [
      'another version',
      [one!, other({ tool: { name: 'lightning-chaos', version: '9' } }), three!],
      'different versions of lightning-chaos\n0.1.0 in 1.json\n9 in other.json',
    ],
    [
      'another target',
      [one!, other({ target: { name: 'sqlite', version: '', waived: {} } }), three!],
      'different targets\nlightning in 1.json\nsqlite in other.json',
    ],
    [
      'another number of shards',
      [one!, two!, ...shards(2)],
      'different numbers of shards\n3 in 1.json\n2 in 1.json',
    ],
    [
      'another gate',
      [one!, other({ gate: { target: 0.5, allowDataLoss: false } }), three!],
      'different terms of the gate\n{"target":0.95,"allowDataLoss":false} in 1.json\n',
    ],
    [
      'other trials',
      [one!, other({ shard: { ...two!.run.shard!, planned: [] } }), three!],
      'different scenarios and numbers of trials',
    ],
    [
      'shards that overlap',
      [one!, other({ scenarios: one!.run.scenarios }), three!],
      'trial 0 of diskfull/open is in shard 1 and in shard 2: they were cut in different ways',
    ],
    [
      'shards that leave gaps',
      [one!, other({ scenarios: [] }), three!],
      'trial 1 of diskfull/open is in no shard: they were cut in different ways',
    ],
  ])('refuses %s', (_, results, message) => {
    expect(() => mergeShards(results)).toThrow(message)
  })
})
