import { describe, expect, it } from 'vitest'
import { FAULTS } from '../fault/index.js'
import { describeStep, describeTimeline, describeVolume, describeWorkload } from './describe.js'
import { faultsOf, needsOf } from './needs.js'
import { scenarioSchema } from './schema.js'

const scenario = scenarioSchema.parse({
  name: 'diskfull/mine',
  title: 'Mine',
  why: 'It matters',
  volume: { kind: 'ext4', size: '32MiB', thin: '8MiB', inodes: 64 },
  workload: { keys: 10, sizes: { fixed: 100 }, mix: { put: 3, delete: 0, batch: 0, get: 1, scan: 0 } },
  timeline: [
    { do: 'run', operations: 5, mix: { put: 2, delete: 0, batch: 1, get: 0, scan: 0 }, until: 'refused' },
    { do: 'run', operations: 6, beside: 'compaction' },
    {
      do: 'repeat',
      times: 3,
      steps: [{ do: 'inject', fault: 'ballast', leave: '4KiB' }, { do: 'pad' }, { do: 'heal' }],
    },
    { do: 'inject', fault: 'chmod' },
    { do: 'deletes', keys: 4 },
  ],
})

describe('a scenario in words', () => {
  it('tells the volume', () => {
    expect(describeVolume(scenario.volume)).toBe('ext4 of 32 MiB, 64 inodes, only 8 MiB of disk under it')
    expect(describeVolume({ kind: 'tmpfs', size: 1000 })).toBe('tmpfs of 1000 B')
    expect(describeVolume({ kind: 'xfs', disk: 'glass' })).toBe('xfs of 300 MiB, on a disk of glass')
    expect(describeVolume({ kind: 'glass', size: 4096, trace: 'bytes' })).toBe(
      'glass of 4 KiB, with bytes in its trace',
    )
  })

  it('tells the workload', () => {
    expect(describeWorkload(scenario.workload)).toBe(
      '4 clients with 4 requests each in flight, over 10 keys with values of 100 B; put 75%, get 25%',
    )
    expect(describeWorkload({ ...scenario.workload, sizes: { largest: 65_536 } })).toContain(
      'from nothing to 64 KiB;',
    )
  })

  it('tells the timeline', () => {
    const lines = describeTimeline(scenario)
    expect(lines).toEqual([
      'run 5 operations, fewer once one was refused (put 66.7%, batch 33.3%)',
      'run 6 operations beside one compaction after the other',
      '3 times:',
      expect.stringMatching(/^ {2}inject ballast \(.*leave 4 KiB.*\): ./),
      '  write one value, a byte longer each time',
      '  take every fault away again',
      expect.stringMatching(/^inject chmod \(.*\): ./),
      'delete 4 keys',
    ])
  })

  it.each(FAULTS.map((fault) => [fault.kind, fault]))('tells how %s is injected', (kind, fault) => {
    const step = scenarioSchema.shape.timeline.parse([{ do: 'inject', fault: kind }])[0]!
    if (step.do === 'repeat') throw new Error('not a flat step')
    const line = describeStep(step)
    expect(line).toMatch(new RegExp(`^inject ${kind}`))
    expect(line.endsWith(`: ${fault.title}`)).toBe(true)
    expect(line).not.toContain('undefined')
  })
})

describe('faultsOf and needsOf', () => {
  it('give each once, those of a repeat too', () => {
    expect(faultsOf(scenario).map(({ kind }) => kind)).toEqual(['ballast', 'chmod'])
    expect(needsOf(scenario)).toContain('mkfs.ext4')
    expect(new Set(needsOf(scenario)).size).toBe(needsOf(scenario).length)
    expect(needsOf({ timeline: [], volume: { kind: 'xfs', disk: 'glass' } })).toEqual(
      expect.arrayContaining(['mkfs.xfs', 'fuse']),
    )
  })
})
