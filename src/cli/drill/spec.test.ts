import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FaultName } from '../../drill/plan.js'
import { ROOT } from '../../testing/cli.js'
import { freshPath } from '../../testing/directory.js'
import { chaosToolkit } from './chaos-toolkit.js'
import { DRILL_DEFAULTS } from './defaults.js'
import { FAULTS } from './faults.js'
import { type DrillSpec, drillFileText, readDrillFile } from './spec.js'

const least: DrillSpec = {
  ...DRILL_DEFAULTS,
  fault: 'diskfull',
  path: '/srv/db',
  allowRootFilesystem: false,
  leave: 0,
  reserved: false,
  probes: [],
}
const most: DrillSpec = {
  ...least,
  allowRootFilesystem: true,
  leave: 1_048_576,
  reserved: true,
  service: 'my db.service',
  user: 'db',
  probes: [
    { ask: "sh -c 'exit 0'", name: 'reads', during: 'pass' },
    { ask: 'redis://127.0.0.1', during: 'fail', says: 'no: room #1' },
  ],
  attach: { target: 'sqlite', targetCmd: undefined },
  forMs: 1500,
  everyMs: 100,
  probeTimeoutMs: 900,
  recoverMs: 10_000,
  steady: 1,
  rounds: 20,
  gate: 0.57,
  abortIf: 'false',
  maxLoad: 7.5,
  minFreeElsewhere: 4096,
}

function file(text: string): string {
  const directory = freshPath()
  mkdirSync(directory)
  const name = path.join(directory, 'drill.yaml')
  writeFileSync(name, text)
  return name
}

function specOf(fault: FaultName): DrillSpec {
  const volume = { size: 8_388_608, stop: ['systemctl', 'stop', 'my db'], start: ['true'] }
  return {
    ...least,
    fault,
    path: FAULTS[fault].needs === 'path' ? least.path : undefined,
    ...(fault === 'slow' ? { rate: { bytesPerSecond: 1_048_576 } } : {}),
    ...(fault === 'quota-volume' ? { volume } : {}),
  }
}

describe('a drill file', () => {
  test.each<readonly [name: string, spec: DrillSpec]>([
    ['with everything', most],
    ['with nothing but what is needed', least],
    ...Object.keys(FAULTS).map((fault) => [`of ${fault}`, specOf(fault as FaultName)] as const),
    ['of a slow disk', { ...least, fault: 'slow', rate: { bytesPerSecond: 5000, operationsPerSecond: 10 } }],
  ])('%s asks for the same as what it was made of', async (_, spec) => {
    expect(await readDrillFile(file(drillFileText(spec)))).toEqual(spec)
  })

  test('is what a person writes', async () => {
    const written = file(`fault: diskfull
path: data
leave: 1MiB
for: 1m
service: { unit: mydb.service }
probes:
  - ask: ./read.sh
    during: pass
`)
    expect(await readDrillFile(written)).toEqual({
      ...least,
      path: path.join(path.dirname(written), 'data'),
      leave: 1 << 20,
      service: 'mydb.service',
      probes: [{ ask: './read.sh', during: 'pass' }],
    })
  })

  test.each([
    ['fault: fire\n', /drill.yaml:1:8: .*diskfull/],
    ['fault: diskfull\nfor: 1s\n', /drill.yaml:1:1: missing key 'path', expected a directory/],
    ['fault: diskfull\nfor: soon\n', /drill.yaml:2:6: found 'soon', expected a duration/],
    ['fault: diskfull\nleave: lots\n', /drill.yaml:2:8: found 'lots', expected a size/],
    ['fault: diskfull\nprobes: [{ ask: x, during: often }]\n', /drill.yaml:2:28/],
    ['fault: diskfull\ncolour: red\n', /drill.yaml:2:1/],
    ['fault: pause\nleave: 5MiB\n', /drill.yaml:2:8: found '5MiB', expected no leave: pause has none/],
    ['fault: kill\nreserved: true\n', /drill.yaml:2:11: .*expected no reserved/],
    ['fault: fd-limit\npath: /srv\n', /drill.yaml:2:7: .*expected no path/],
    ['fault: stall\npath: /srv\nsize: 5MiB\n', /drill.yaml:3:7: .*expected no size/],
    [
      'fault: pause\nservice: { pid: 1, unit: x }\n',
      /drill.yaml:2:26: found 'x', expected no unit beside a pid/,
    ],
    ['', /drill.yaml:1:1/],
  ])('that is wrong is told with line and column: %j', async (text, why) => {
    await expect(readDrillFile(file(text))).rejects.toThrow(why)
  })
})

describe('an experiment of the Chaos Toolkit', () => {
  const experiment = chaosToolkit(most, '/etc/drills/db.yaml', { name: 'lightning-chaos', version: '1.2.3' })

  test('asks the same probes before and after, does the same drill, and undoes it', () => {
    const ofProcess = (args: string[]) => ({
      type: 'process',
      path: 'lightning-chaos',
      arguments: ['drill', ...args],
    })
    expect(experiment).toMatchObject({
      title: 'A full file system at /srv/db',
      'steady-state-hypothesis': {
        probes: [
          {
            name: 'reads',
            tolerance: 0,
            provider: ofProcess(['probe', "sh -c 'exit 0'", '--probe-timeout', '900ms']),
          },
          { name: 'probe 2: redis://127.0.0.1', tolerance: 0 },
          { name: 'no drill is active', tolerance: 0, provider: ofProcess(['status', '--check']) },
        ],
      },
      method: [{ type: 'action', provider: ofProcess(['run', '/etc/drills/db.yaml', '--yes']) }],
      rollbacks: [{ type: 'action', provider: ofProcess(['undo', '--all']) }],
    })
  })

  test('is not made where it would show a password', () => {
    const secret = { ...most, probes: [{ ask: 'redis://:secret@127.0.0.1', during: 'any' as const }] }
    const make = () => chaosToolkit(secret, 'db.yaml', { name: 'lightning-chaos', version: '1.2.3' })
    expect(make).toThrow('would show the password of redis://:…@127.0.0.1')
  })

  test('gives every round the time that it takes', () => {
    const [drill] = experiment.method
    expect(drill!.provider.timeout).toBeGreaterThan((most.rounds * (most.forMs + most.recoverMs)) / 1000)
  })
})

test('the example in the documentation is a drill', async () => {
  const spec = await readDrillFile(path.join(ROOT, 'docs/examples/drill.yaml'))
  expect(spec).toMatchObject({
    fault: 'diskfull',
    service: 'mydb.service',
    rounds: 20,
    minFreeElsewhere: 2 ** 30,
  })
})
