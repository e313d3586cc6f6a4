import { describe, expect, it } from 'vitest'
import { checkScenario, type Kinds } from './check.js'
import type { Scenario } from './schema.js'

const size = { minimumSize: 1024, defaultSize: 4096 }
const kinds: Kinds = {
  volumes: { tmpfs: size, ext4: size, xfs: size, btrfs: size, glass: size, directory: size },
  faults: [
    { kind: 'ballast' },
    { kind: 'qgroup', volumes: ['btrfs'] },
    { kind: 'fs-error', healsStopped: true },
    { kind: 'io-error', volumes: ['glass'], seesItself: true },
    { kind: 'disk-error', volumes: ['ext4'], disk: 'glass', healsStopped: true },
    { kind: 'power-cut', volumes: ['glass'], injectsStopped: true },
  ],
}

const mix = { put: 1, delete: 0, batch: 0, get: 0, scan: 0 }
const idle = { ...mix, put: 0 }
type Timeline = Scenario['timeline']
const inject = { do: 'inject', fault: 'ballast' } as Timeline[number] & { do: 'inject' }
const fsError = { do: 'inject', fault: 'fs-error' } as Timeline[number] & { do: 'inject' }
const run = { do: 'run', operations: 5 } as const

function scenario(changes: Partial<Scenario>): Scenario {
  return {
    name: 'a/b',
    title: 'title',
    why: 'why',
    volume: { kind: 'tmpfs' },
    workload: { keys: 4, clients: 1, depth: 1, sizes: { fixed: 10 }, mix },
    timeline: [inject],
    trials: 1,
    ...changes,
  }
}

const misfits = (changes: Partial<Scenario>) =>
  checkScenario(scenario(changes), kinds).map(({ path, text }) => `${path.join('.')}: ${text}`)

describe('checkScenario', () => {
  it.each<[string, Scenario['volume'], string[]]>([
    ['a volume of the default size', { kind: 'tmpfs' }, []],
    ['the smallest volume', { kind: 'tmpfs', size: 1024 }, []],
    ['inodes on ext4', { kind: 'ext4', inodes: 16 }, []],
    ['a thin volume', { kind: 'xfs', thin: 4095 }, []],
    [
      'a volume too small',
      { kind: 'xfs', size: 1023 },
      ['volume.size: expected at least 1 KiB, the least that xfs works with'],
    ],
    [
      'inodes on xfs',
      { kind: 'xfs', inodes: 16 },
      ['volume.inodes: expected none with xfs: only tmpfs, ext4 and glass limit them'],
    ],
    [
      'a thin tmpfs',
      { kind: 'tmpfs', thin: 16 },
      ['volume.thin: expected none with tmpfs: only ext4, xfs and btrfs have a disk under them'],
    ],
    ['a disk of glass', { kind: 'btrfs', disk: 'glass' }, []],
    [
      'a disk under tmpfs',
      { kind: 'tmpfs', disk: 'glass' },
      ['volume.disk: expected none with tmpfs: only ext4, xfs and btrfs have a disk under them'],
    ],
    [
      'two disks',
      { kind: 'ext4', disk: 'glass', thin: 16 },
      ['volume.disk: expected no thin beside it: that is another disk'],
    ],
    ['bytes in the trace of a disk', { kind: 'ext4', disk: 'glass', trace: 'bytes' }, []],
    [
      'bytes in no trace',
      { kind: 'tmpfs', trace: 'bytes' },
      ['volume.trace: expected none with tmpfs: only glass has one'],
    ],
    [
      'a disk as large as the volume',
      { kind: 'ext4', thin: 4096 },
      ['volume.thin: expected less than the size of the volume, 4 KiB'],
    ],
  ])('judges %s', (_, volume, expected) => {
    expect(misfits({ volume })).toEqual(expected)
  })

  it.each<[string, Timeline, string[]]>([
    ['a fault', [inject], []],
    ['a fault that is healed', [inject, run, { do: 'heal' }, { do: 'resume' }, run], []],
    ['two faults and one heal', [inject, fsError, { do: 'stop' }, { do: 'heal' }, { do: 'start' }], []],
    ['restarts', [inject, { do: 'kill' }, { do: 'start' }, { do: 'stop' }, { do: 'start' }, run], []],
    [
      'a second start after one that a fault may have stopped',
      [inject, { do: 'kill' }, { do: 'start' }, run, { do: 'heal' }, { do: 'start' }],
      [],
    ],
    [
      'a repeat that ends as it began',
      [{ do: 'repeat', times: 3, steps: [inject, run, { do: 'heal' }, { do: 'resume' }] }],
      [],
    ],
    ['no fault', [run], ['timeline: expected an inject: a trial without a fault proves nothing']],
    [
      'a fault for another volume',
      [{ ...inject, fault: 'qgroup' }],
      ['timeline.0.fault: expected a fault that works on tmpfs; this one needs btrfs'],
    ],
    [
      'a heal of nothing',
      [{ do: 'heal' }, inject],
      ['timeline.0.do: expected an inject before it: no fault is on here'],
    ],
    [
      'a second heal',
      [inject, { do: 'heal' }, { do: 'heal' }],
      ['timeline.2.do: expected an inject before it: no fault is on here'],
    ],
    [
      'a heal that needs the target stopped',
      [fsError, { do: 'heal' }],
      ['timeline.1.do: expected a stop or a kill before it: fs-error heals only while no target runs'],
    ],
    ['a resume before any heal', [inject, { do: 'resume' }], ['timeline.1.do: expected a heal before it']],
    [
      'a resume while a fault is on',
      [inject, { do: 'heal' }, inject, { do: 'resume' }],
      ['timeline.3.do: expected a heal before it'],
    ],
    [
      'a start at the start',
      [{ do: 'start' }, inject],
      ['timeline.0.do: expected a stop or a kill before it: the target is running here'],
    ],
    [
      'a run while stopped',
      [inject, { do: 'stop' }, run, { do: 'kill' }],
      [
        'timeline.2.do: expected a start before it: the target is not running here',
        'timeline.3.do: expected a start before it: the target is not running here',
      ],
    ],
    [
      'a repeat whose second round cannot start',
      [{ do: 'repeat', times: 9, steps: [inject, run, { do: 'kill' }] }],
      [
        'timeline.0.steps.1.do: expected a start before it: the target is not running here',
        'timeline.0.steps.2.do: expected a start before it: the target is not running here',
      ],
    ],
    ['a repeat of one round', [{ do: 'repeat', times: 1, steps: [inject, run, { do: 'kill' }] }], []],
    [
      'a run of nothing in a repeat',
      [inject, { do: 'repeat', times: 2, steps: [{ ...run, mix: idle }] }],
      ['timeline.1.steps.0.mix: expected a weight above 0 for one operation at least'],
    ],
  ])('judges %s', (_, timeline, expected) => {
    expect(misfits({ timeline })).toEqual(expected)
  })

  it('judges fewer keys than clients', () => {
    expect(misfits({ workload: { ...scenario({}).workload, keys: 2, clients: 3 } })).toEqual([
      'workload.keys: expected at least 3: each client has keys of its own',
    ])
  })

  it('judges a workload of nothing', () => {
    expect(misfits({ workload: { ...scenario({}).workload, mix: idle } })).toEqual([
      'workload.mix: expected a weight above 0 for one operation at least',
    ])
  })
})

describe('faults on glass', () => {
  const onGlass = (...timeline: unknown[]) =>
    misfits({ volume: { kind: 'glass' }, timeline: timeline as Timeline })
  const round = { do: 'inject', fault: 'io-error', first: 'round' }

  it('have rounds in a repeat, and a repeat that ends early has one of them', () => {
    const repeat = { do: 'repeat', times: 9, until: 'untouched', steps: [round, { do: 'heal' }] }
    expect(onGlass(repeat)).toEqual([])
    expect(onGlass({ ...repeat, steps: [inject, { do: 'heal' }] })).toEqual([
      'timeline.0.until: expected an inject of a fault on glass in its steps',
    ])
    expect(onGlass(round)).toEqual([
      'timeline.0.first: expected a number: only in the steps of a repeat there are rounds',
    ])
  })

  it('may need a disk of it under the file system', () => {
    const timeline = [{ do: 'inject', fault: 'disk-error' }, { do: 'kill' }, { do: 'heal' }] as Timeline
    expect(misfits({ volume: { kind: 'ext4', disk: 'glass' }, timeline })).toEqual([])
    expect(misfits({ volume: { kind: 'ext4' }, timeline })).toEqual([
      'timeline.0.fault: expected a volume with disk: glass, which disk-error needs',
    ])
  })

  it('may need a target that is not running', () => {
    const cut = { do: 'inject', fault: 'power-cut' }
    expect(onGlass({ do: 'kill' }, cut)).toEqual([])
    expect(onGlass(cut)).toEqual([
      'timeline.0.fault: expected a stop or a kill before it: power-cut comes only while no target runs',
    ])
  })
})
