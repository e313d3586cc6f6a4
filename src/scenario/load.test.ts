import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ChaosError, UsageError } from '../errors.js'
import { builtinScenarios, loadScenarioFile, selectScenarios } from './load.js'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'lightning-chaos test '))
})
afterAll(() => rm(directory, { recursive: true }))

function yaml(changes: Record<string, string> = {}): string {
  const fields = {
    name: 'mine',
    title: 'A title',
    why: 'It matters',
    volume: '{ kind: tmpfs, size: 1MiB }',
    timeline: '[{ do: inject, fault: ballast }, { do: run, operations: 10 }]',
    ...changes,
  }
  return Object.entries(fields)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join('')
}

async function file(name: string, content: string | Buffer): Promise<string> {
  const full = path.join(directory, name)
  await mkdir(path.dirname(full), { recursive: true })
  await writeFile(full, content)
  return full
}

/** Message and hint of the error, with the directory taken out. */
async function refusal(promise: Promise<unknown>): Promise<string[]> {
  const error = await promise.then(
    () => new Error('accepted'),
    (error: ChaosError) => error,
  )
  if (!(error instanceof UsageError)) throw error
  const plain = (text: string) => text.replaceAll(directory, 'DIR')
  return error.hint === undefined ? [plain(error.message)] : [plain(error.message), plain(error.hint)]
}

describe('loadScenarioFile', () => {
  it('fills in what the file leaves out', async () => {
    const scenario = await loadScenarioFile(await file('good.yaml', yaml()))
    expect(scenario).toMatchObject({
      name: 'mine',
      volume: { kind: 'tmpfs', size: 1_048_576 },
      workload: { keys: 48, clients: 4, sizes: { largest: 65_536 }, mix: { put: 50 } },
      timeline: [
        { do: 'inject', fault: 'ballast', leave: 0 },
        { do: 'run', operations: 10 },
      ],
      trials: 8,
    })
  })

  it('reads a file with a byte order mark', async () => {
    expect(await loadScenarioFile(await file('bom.yaml', `\uFEFF${yaml()}`))).toMatchObject({ name: 'mine' })
  })

  it.each([
    ['an empty file', '', ['DIR/x.yaml:1:1: the file is empty']],
    [
      'a tab',
      yaml({ volume: '\n\tkind: tmpfs' }),
      ['DIR/x.yaml:5:1: found a tab as indentation, expected spaces'],
    ],
    [
      'a negative size',
      yaml({ volume: '{ kind: tmpfs, size: -5 }' }),
      ["DIR/x.yaml:4:30: found -5, expected a size in bytes, such as 4096, '64KiB' or '8MiB'"],
    ],
    [
      'a size of one byte',
      yaml({ volume: '{ kind: tmpfs, size: 1 }' }),
      ['DIR/x.yaml:4:30: found 1, expected at least 256 KiB, the least that tmpfs works with'],
    ],
    [
      'an unknown unit',
      yaml({ volume: '{ kind: tmpfs, size: 1MB/s }' }),
      ["DIR/x.yaml:4:30: found '1MB/s', expected a size in bytes, such as 4096, '64KiB' or '8MiB'"],
    ],
    ['an unknown key', yaml({ trails: '3' }), ["DIR/x.yaml:6:1: unknown key 'trails', did you mean trials?"]],
    [
      'a bad name',
      yaml({ name: 'My Scenario' }),
      [
        "DIR/x.yaml:1:7: found 'My Scenario', expected lower-case words joined by '-', with '/' between family and name",
      ],
    ],
    [
      'a timeline without a fault',
      yaml({ timeline: '\n  - do: run\n    operations: 5' }),
      ['DIR/x.yaml:6:3: found a list, expected an inject: a trial without a fault proves nothing'],
    ],
    [
      'bytes of no text',
      Buffer.from([0xff, 0xfe, 0x00, 0x41]),
      ['DIR/x.yaml: is not a text in UTF-8', 'a scenario is a YAML file, saved as UTF-8'],
    ],
    [
      'a NUL',
      'name: a\0b',
      ['DIR/x.yaml: is not a text in UTF-8', 'a scenario is a YAML file, saved as UTF-8'],
    ],
  ])('refuses %s', async (_, content, expected) => {
    expect(await refusal(loadScenarioFile(await file('x.yaml', content)))).toEqual(expected)
  })

  it('refuses a file of 100 MB without reading it', async () => {
    const big = await file('big.yaml', '')
    await truncate(big, 100_000_000)
    expect(await refusal(loadScenarioFile(big))).toEqual([
      'DIR/big.yaml: is 100000000 bytes long, expected at most 1048576',
      'a scenario takes a few hundred bytes; is this the right file?',
    ])
  })

  it('refuses a directory', async () => {
    await mkdir(path.join(directory, 'folder.yaml'))
    expect(await refusal(loadScenarioFile(path.join(directory, 'folder.yaml')))).toEqual([
      'DIR/folder.yaml: is a directory, expected a scenario file',
      'name one: DIR/folder.yaml/NAME.yaml',
    ])
  })

  it('refuses a device', async () => {
    expect(await refusal(loadScenarioFile('/dev/null'))).toEqual([
      '/dev/null: is not a file',
      'a scenario is a YAML file',
    ])
  })

  it('refuses a file that is not there', async () => {
    expect(await refusal(loadScenarioFile(path.join(directory, 'none.yaml')))).toEqual([
      'DIR/none.yaml: no such file',
      'lightning-chaos list shows the built-in scenarios',
    ])
  })
})

describe('selectScenarios', () => {
  let builtin: string
  beforeAll(async () => {
    for (const name of ['diskfull/ballast', 'diskfull/sweep', 'permissions/chmod'])
      await file(`builtin/${name}.yaml`, yaml({ name }))
    builtin = path.join(directory, 'builtin')
  })

  const names = async (...selectors: string[]) =>
    (await selectScenarios(selectors, builtin)).map(({ scenario }) => scenario.name)

  it.each([
    [[], ['diskfull/ballast', 'diskfull/sweep', 'permissions/chmod']],
    [['diskfull'], ['diskfull/ballast', 'diskfull/sweep']],
    [
      ['permissions/chmod', 'diskfull/sweep'],
      ['permissions/chmod', 'diskfull/sweep'],
    ],
    [['*s*/*'], ['diskfull/ballast', 'diskfull/sweep', 'permissions/chmod']],
    [['*/ch*'], ['permissions/chmod']],
    [
      ['diskfull', 'diskfull/sweep', 'diskfull/*'],
      ['diskfull/ballast', 'diskfull/sweep'],
    ],
  ])('%j are %j', async (selectors, expected) => {
    expect(await names(...selectors)).toEqual(expected)
  })

  it('takes a file and says that it came from there', async () => {
    const mine = await file('mine.yml', yaml())
    expect(await selectScenarios([mine, 'permissions'], builtin)).toMatchObject([
      { scenario: { name: 'mine' }, source: { file: mine } },
      { scenario: { name: 'permissions/chmod' }, source: { builtin: true } },
    ])
  })

  it.each([
    ['diskful', ["no scenario is called 'diskful'", 'did you mean diskfull?']],
    ['diskfull/swep', ["no scenario is called 'diskfull/swep'", 'did you mean diskfull/sweep?']],
    [
      'banana',
      [
        "no scenario is called 'banana'",
        'there is diskfull, permissions; lightning-chaos list shows every scenario',
      ],
    ],
    [
      'x*',
      [
        "no scenario matches 'x*'",
        'there is diskfull, permissions; lightning-chaos list shows every scenario',
      ],
    ],
    ['diskfull/.*weep', ["no scenario matches 'diskfull/.*weep'", 'did you mean diskfull/sweep?']],
    ['..', ['..: is a directory, expected a scenario file', 'name one: ../NAME.yaml']],
    ['./none', ['./none: no such file', 'lightning-chaos list shows the built-in scenarios']],
  ])('refuses %s', async (selector, expected) => {
    expect(await refusal(names(selector))).toEqual(expected)
  })

  it('refuses two scenarios of one name', async () => {
    const copy = await file('copy.yaml', yaml({ name: 'diskfull/sweep' }))
    expect(await refusal(names('diskfull', copy))).toEqual([
      "two scenarios are called 'diskfull/sweep': the built-in one and DIR/copy.yaml",
      'give one of them another name',
    ])
  })
})

describe('builtinScenarios', () => {
  it('are all correct, and each is called as its file is', async () => {
    for (const scenario of await builtinScenarios()) expect(scenario.name).toMatch(/^[a-z-]+\/[a-z0-9-]+$/)
  })
})
