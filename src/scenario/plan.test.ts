import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FAULTS } from '../fault/index.js'
import { VOLUMES } from '../volume/index.js'
import { checkScenario } from './check.js'
import { planSteps, planTrials } from './plan.js'
import type { Scenario } from './schema.js'

type Timeline = Scenario['timeline']
type FlatStep = Exclude<Timeline[number], { do: 'repeat' }>

const scenario = (timeline: Timeline): Scenario => ({
  name: 'a/b',
  title: 'title',
  why: 'why',
  volume: { kind: 'ext4' },
  workload: {
    keys: 4,
    clients: 1,
    depth: 1,
    sizes: { fixed: 10 },
    mix: { put: 1, delete: 0, batch: 0, get: 0, scan: 0 },
  },
  timeline,
  trials: 3,
})

const inject = (fault: string): FlatStep => ({ do: 'inject', fault })
const words = (steps: readonly { readonly do: string }[]) => steps.map(({ do: name }) => name).join(' ')
const healsStopped = FAULTS.filter((fault) => fault.healsStopped).map(({ kind }) => kind)
const healsRunning = FAULTS.filter((fault) => !fault.healsStopped).map(({ kind }) => kind)

const CLOSING = 'resume verify kill start verify run stop start verify'

describe('planSteps', () => {
  it.each<[string, Timeline, string]>([
    ['heals what is on', [inject(healsRunning[0]!)], `start inject heal ${CLOSING}`],
    ['heals no second time', [inject(healsRunning[0]!), { do: 'heal' }], `start inject heal ${CLOSING}`],
    [
      'starts what is stopped',
      [inject(healsRunning[0]!), { do: 'kill' }],
      `start inject kill heal start ${CLOSING}`,
    ],
    ...healsStopped.map((kind): [string, Timeline, string] => [
      `stops the target first where ${kind} asks for it`,
      [inject(kind)],
      `start inject kill heal start ${CLOSING}`,
    ]),
  ])('%s', (_, timeline, expected) => {
    expect(words(planSteps(scenario(timeline)))).toBe(expected)
  })

  it('kills in the middle of operations at the end', () => {
    expect(planSteps(scenario([inject(healsRunning[0]!)])).filter((step) => step.do === 'kill')).toEqual([
      { do: 'kill', during: 'operations' },
    ])
  })

  it('marks the rounds of a repeat that may end early, and counts them', () => {
    const write = (first: number | 'round') =>
      ({ do: 'inject', fault: 'io-error', first }) as unknown as FlatStep
    const repeat = {
      do: 'repeat',
      times: 2,
      until: 'untouched',
      steps: [write('round'), { do: 'heal' }],
    } as const
    expect(planSteps(scenario([repeat as unknown as Timeline[number]])).slice(1, 8)).toEqual([
      { do: 'round' },
      write(1),
      { do: 'heal' },
      { do: 'round' },
      write(2),
      { do: 'heal' },
      { do: 'rounds-end' },
    ])
  })

  it('unrolls a repeat', () => {
    const steps = planSteps(
      scenario([
        { do: 'repeat', times: 3, steps: [{ do: 'pad' }, inject(healsRunning[0]!)] },
        { do: 'heal' },
      ]),
    )
    expect(steps.slice(0, 8).map((step) => step.do)).toEqual([
      'start',
      'pad',
      'inject',
      'pad',
      'inject',
      'pad',
      'inject',
      'heal',
    ])
  })

  const flat: fc.Arbitrary<FlatStep> = fc.oneof(
    fc.constantFrom(...FAULTS.map(({ kind }) => inject(kind))),
    fc
      .constantFrom(
        ...(['heal', 'resume', 'start', 'stop', 'kill', 'reopen', 'compact', 'verify', 'pad'] as const),
      )
      .map((name) => ({ do: name })),
    fc.constant({ do: 'run', operations: 5 } as const),
  )
  const timelines: fc.Arbitrary<Timeline> = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: flat },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constant('repeat' as const),
          times: fc.integer({ min: 1, max: 3 }),
          steps: fc.array(flat, { minLength: 1, maxLength: 5 }),
        }),
      },
    ),
    { minLength: 1, maxLength: 8 },
  )

  it('ends every plan healed, running, and with two restarts', () => {
    fc.assert(
      fc.property(timelines, (timeline) => {
        const steps = planSteps(scenario(timeline))
        expect(words(steps).endsWith(` ${CLOSING}`)).toBe(true)
        const lastInject = steps.findLastIndex((step) => step.do === 'inject')
        const lastHeal = steps.findLastIndex((step) => step.do === 'heal')
        expect(lastHeal).toBeGreaterThanOrEqual(lastInject)
      }),
    )
  })

  it('adds no step that the check would refuse', () => {
    const kinds = { volumes: VOLUMES, faults: FAULTS.map(({ volumes, ...fault }) => fault) }
    fc.assert(
      fc.property(timelines, (timeline) => {
        fc.pre(checkScenario(scenario(timeline), kinds).length === 0)
        // no repeat here ends early, so there are no marks
        const [start, ...steps] = planSteps(scenario(timeline)) as FlatStep[]
        expect(start).toEqual({ do: 'start' })
        expect(checkScenario(scenario(steps), kinds)).toEqual([])
      }),
      { numRuns: 200, maxSkipsPerRun: 1000 },
    )
  })
})

describe('planTrials', () => {
  it('gives the seeds that reports of earlier versions name', () => {
    expect(planTrials({ name: 'a/b', trials: 2 }, { seed: 's' })).toEqual([
      { seed: 'b36d6b331616', index: 0 },
      { seed: '7e9f8827dff2', index: 1 },
    ])
  })

  it('runs as many trials as it is told', () => {
    expect(planTrials({ name: 'a/b', trials: 2 }, { seed: 's', trials: 5 })).toHaveLength(5)
  })

  it('gives every trial a seed of its own', () => {
    const seeds = ['a', 'b'].flatMap((name) =>
      ['s', 't'].flatMap((seed) => planTrials({ name, trials: 50 }, { seed })),
    )
    expect(new Set(seeds.map(({ seed }) => seed)).size).toBe(200)
  })
})
