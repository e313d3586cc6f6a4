import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Event } from '../history/events.js'
import { packTimeline } from '../history/packed-timeline.js'
import { timelineOf } from '../history/timeline.js'
import { jsonReport } from '../report/json.js'
import type { RunResult } from '../report/result.js'
import { inNewDirectory } from '../testing/in-directory.js'
import { runResult, scenario, trial, trials, violation } from '../testing/results.js'
import { readBaseline, readRates, readRun, savedIds } from './read.js'
import { saveRun } from './save.js'

const isRoot = process.geteuid?.() === 0
const NOBODY = 65534
const FOLDER = '.lightning-chaos'

const history: Event[] = [
  { type: 'phase', time: 0, phase: 'healthy' },
  { type: 'close', time: 1.5 },
]
const timeline = packTimeline(timelineOf(history))
const failing = runResult({
  scenarios: [
    scenario('diskfull/sweep', [
      ...trials(3, 'passed', { timeline }),
      trial('failed', {
        index: 3,
        violations: [violation('lost-write', 'key k is gone')],
        timeline,
        history,
        targetLog: 'out of space\n',
      }),
    ]),
    scenario('diskfull/xfs', trials(2, 'skipped', { reason: 'needs root' }), 'xfs'),
  ],
})

/** Begun so many seconds after the first. */
function later(seconds: number, draft: Partial<RunResult> = {}): RunResult {
  return runResult({ startedAt: new Date(Date.UTC(2026, 0, 2) + seconds * 1000).toISOString(), ...draft })
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map((file) => path.relative(directory, path.join(file.parentPath, file.name))).sort()
}

describe('a run that is saved', () => {
  it('comes back as it was', async () => {
    await inNewDirectory(async () => {
      const id = await saveRun(failing, 'lightning')
      expect(id).toBe('20260102T030405.678Z-seed')
      for (const selector of [id, '2026', 'last', `${FOLDER}/runs/${id}`, `${FOLDER}/runs/${id}/result.json`])
        expect(await readRun(selector)).toEqual(failing)
    })
  })

  it('is files that say what they are', async () => {
    await inNewDirectory(async () => {
      const id = await saveRun(failing, 'lightning')
      const failed = `runs/${id}/failed/diskfull-sweep-0123456789ab.3`
      expect(await filesIn(FOLDER)).toEqual([
        '.gitignore',
        'last',
        'rates.jsonl',
        `${failed}/history.jsonl`,
        `${failed}/target.log`,
        `${failed}/trial.json`,
        `runs/${id}/result.json`,
        `runs/${id}/timelines.jsonl`,
      ])
      const read = (file: string) => readFile(path.join(FOLDER, file), 'utf8')
      expect(await read('.gitignore')).toBe('*\n')
      expect(await read('last')).toBe(`${id}\n`)
      expect(await read(`${failed}/target.log`)).toBe('out of space\n')
      expect(await read(`${failed}/history.jsonl`)).toBe(
        '{"type":"phase","time":0,"phase":"healthy"}\n{"type":"close","time":1.5}\n',
      )
      expect(JSON.parse(await read(`${failed}/trial.json`))).toMatchObject({
        seed: '0123456789ab',
        index: 3,
        judgement: { violations: [{ kind: 'lost-write' }], evidence: { ENOSPC: { direct: 3 } } },
      })
      expect(await read(`runs/${id}/result.json`)).not.toMatch(/history|timeline/)
      const line = `${JSON.stringify(timeline)}\n`
      expect(await read(`runs/${id}/timelines.jsonl`)).toBe(`${line.repeat(4)}null\nnull\n`)
    })
  })

  it('leaves a .gitignore as it is', async () => {
    await inNewDirectory(async () => {
      await mkdir(FOLDER)
      await writeFile(`${FOLDER}/.gitignore`, '!rates.jsonl\n')
      await saveRun(failing, 'lightning')
      expect(await readFile(`${FOLDER}/.gitignore`, 'utf8')).toBe('!rates.jsonl\n')
    })
  })

  it('keeps its hands off another that began in the same millisecond', async () => {
    await inNewDirectory(async () => {
      const ids = await Promise.all([failing, failing, failing].map((run) => saveRun(run, 'lightning')))
      const expected = ['', '~2', '~3'].map((suffix) => `20260102T030405.678Z-seed${suffix}`)
      expect(ids.sort()).toEqual(expected)
      expect(await savedIds()).toEqual(expected)
      expect((await readRates()).map(({ id }) => id).sort()).toEqual(expected)
      expect(await readRun(expected[0]!)).toEqual(failing)
    })
  })

  it('of which there are shards is one of twenty, and each shard leaves the others what it found', async () => {
    await inNewDirectory(async () => {
      const whole = await saveRun(later(0), 'lightning')
      const shard = (index: number, seed: string) => {
        const part = { index, total: 30, from: '--shard', called: 'lightning', planned: [] }
        return later(index, { seed, shard: part })
      }
      for (let index = 1; index <= 30; index++) await saveRun(shard(index, 'a'), 'lightning')
      expect(await savedIds()).toHaveLength(31)
      expect((await readRates()).map(({ id }) => id)).toEqual([whole])
      expect(await readFile(`${FOLDER}/last`, 'utf8')).toBe(`${whole}\n`)
      for (let second = 100; second < 119; second++) await saveRun(later(second), 'lightning')
      const ids = await savedIds()
      expect(ids).toHaveLength(30 + 19)
      expect(ids).not.toContain(whole)
      expect(ids[0]).toBe('20260102T000001.000Z-a+1-of-30')
      await saveRun(later(200), 'lightning')
      expect(await savedIds()).toHaveLength(20)
      for (let index = 1; index <= 3; index++) await saveRun(shard(300 + index, 'b'), 'lightning')
      expect(await savedIds()).toHaveLength(19 + 3)
    })
  })

  it('is one of twenty, and nothing else is deleted', async () => {
    await inNewDirectory(async (directory) => {
      await mkdir(`${FOLDER}/runs/mine`, { recursive: true })
      await mkdir('elsewhere')
      await symlink(path.join(directory, 'elsewhere'), `${FOLDER}/runs/20200101T000000.000Z-link`)
      const slow = later(0)
      for (let n = 1; n <= 22; n++) await saveRun(later(n, { seed: `s${n}` }), 'lightning')
      expect(await savedIds()).toHaveLength(20)
      await saveRun(slow, 'lightning')
      const ids = await savedIds()
      expect(ids).toHaveLength(20)
      expect([ids[0], ids[1], ids.at(-1)]).toEqual([
        '20260102T000000.000Z-seed',
        '20260102T000004.000Z-s4',
        '20260102T000022.000Z-s22',
      ])
      const runs = await readdir(`${FOLDER}/runs`)
      expect(runs.filter((name) => !ids.includes(name))).toEqual(['20200101T000000.000Z-link', 'mine'])
      expect(await readRates()).toHaveLength(23)
      expect((await readRun('last')).startedAt).toBe(slow.startedAt)
    })
  })

  it('cannot lead out of the runs by its seed or its scenario', async () => {
    await inNewDirectory(async (directory) => {
      const escaping = trial('failed', { history, seed: '0123456789ab' })
      const id = await saveRun(
        runResult({ seed: '../../x', scenarios: [scenario('../../y', [escaping])] }),
        'lightning',
      )
      expect(path.basename(id)).toBe(id)
      expect(await readdir(directory)).toEqual([FOLDER])
    })
  })

  it('has the histories of the first trials that failed only', async () => {
    await inNewDirectory(async () => {
      const many = Array.from({ length: 25 }, (_, index) => trial('failed', { index, history }))
      const id = await saveRun(runResult({ scenarios: [scenario('a/b', many)] }), 'lightning')
      expect(await readdir(`${FOLDER}/runs/${id}/failed`)).toHaveLength(20)
      const [found] = (await readRun(id)).scenarios
      expect(found!.trials.filter((each) => each.history !== undefined)).toHaveLength(20)
      expect(found!.trials).toHaveLength(25)
    })
  })
})

it('has no timelines where an earlier version kept it', async () => {
  await inNewDirectory(async () => {
    const id = await saveRun(failing, 'lightning')
    await rm(`${FOLDER}/runs/${id}/timelines.jsonl`)
    const [found] = (await readRun(id)).scenarios
    expect(found!.trials.map((each) => each.timeline)).toEqual([undefined, undefined, undefined, undefined])
  })
})

describe('the line of a run', () => {
  it('says how it went', async () => {
    await inNewDirectory(async () => {
      const id = await saveRun(failing, './mydb.yaml')
      expect(await readRates()).toEqual([
        {
          id,
          target: 'lightning',
          called: './mydb.yaml',
          seed: 'seed',
          met: false,
          scenarios: [
            { name: 'diskfull/sweep', trials: 4, passed: 3, counted: 4, meanMs: 100 },
            { name: 'diskfull/xfs', trials: 2, passed: 0, counted: 0, meanMs: 100 },
          ],
        },
      ])
    })
  })

  it('is not lost behind half a line that a full disk has left', async () => {
    await inNewDirectory(async () => {
      await saveRun(later(1), 'lightning')
      const file = `${FOLDER}/rates.jsonl`
      await writeFile(file, `${await readFile(file, 'utf8')}{"id":"2026`)
      await saveRun(later(2), 'lightning')
      expect((await readRates()).map(({ id }) => id)).toEqual([
        '20260102T000001.000Z-seed',
        '20260102T000002.000Z-seed',
      ])
    })
  })
})

describe('a folder that is not ours', () => {
  it('is not followed where it is a link', async () => {
    await inNewDirectory(async (directory) => {
      await mkdir('elsewhere')
      await symlink(path.join(directory, 'elsewhere'), FOLDER)
      await expect(saveRun(failing, 'lightning')).rejects.toThrow('it is not a directory')
      expect(await readdir('elsewhere')).toEqual([])
    })
  })

  it('is not made where it would be a link to nowhere', async () => {
    await inNewDirectory(async (directory) => {
      await symlink(path.join(directory, 'elsewhere'), FOLDER)
      await expect(saveRun(failing, 'lightning')).rejects.toThrow('it is not a directory')
      expect(await readdir(directory)).toEqual([FOLDER])
    })
  })

  it.runIf(isRoot)('gets files of its owner, also from root', async () => {
    await inNewDirectory(async (directory) => {
      await chown(directory, NOBODY, NOBODY)
      await chmod(path.dirname(directory), 0o755)
      await saveRun(failing, 'lightning')
      for (const file of await readdir(FOLDER, { recursive: true })) {
        const { uid, gid } = await lstat(path.join(FOLDER, file))
        expect([uid, gid], file).toEqual([NOBODY, NOBODY])
      }
      expect([process.geteuid!(), process.getegid!()]).toEqual([0, 0])
    })
  })

  it.runIf(isRoot)("gives its owner none of root's rights, whatever links are in it", async () => {
    await inNewDirectory(async (directory) => {
      await chmod(path.dirname(directory), 0o755)
      await mkdir('of-root', { mode: 0o700 })
      await mkdir(FOLDER)
      await symlink(path.join(directory, 'of-root'), `${FOLDER}/runs`)
      await chown(FOLDER, NOBODY, NOBODY)
      await expect(saveRun(failing, 'lightning')).rejects.toThrow(/EACCES/)
      expect(await readdir('of-root')).toEqual([])
      expect(process.geteuid!()).toBe(0)
    })
  })

  it.runIf(isRoot)('is left alone by anybody who is neither its owner nor root', async () => {
    await inNewDirectory(async (directory) => {
      await chmod(path.dirname(directory), 0o755)
      await mkdir(FOLDER)
      await chmod(FOLDER, 0o777)
      process.seteuid!(NOBODY)
      try {
        await expect(saveRun(failing, 'lightning')).rejects.toThrow('it belongs to another user, 0')
      } finally {
        process.seteuid!(0)
      }
      expect(await readdir(FOLDER)).toEqual([])
    })
  })
})

describe('a run that cannot be saved', () => {
  it('is not there by halves', async () => {
    await inNewDirectory(async () => {
      await saveRun(later(1), 'lightning')
      const [file] = (await savedIds()).map((id) => `${FOLDER}/runs/${id}/result.json`)
      // a circle is a value that cannot be written, wherever the disk is
      const circle: Record<string, unknown> = {}
      circle.self = circle
      const broken = later(2, { tool: circle as unknown as RunResult['tool'] })
      await expect(saveRun(broken, 'lightning')).rejects.toThrow()
      expect(await readdir(`${FOLDER}/runs`)).toHaveLength(1)
      expect((await stat(file!)).isFile()).toBe(true)
      expect((await readRun('last')).startedAt).toBe(later(1).startedAt)
    })
  })
})

describe('a run that is asked for', () => {
  it.each([
    ['2026', "2 runs begin with '2026'", 'there is 20260102T000002.000Z-seed, 20260102T000001.000Z-seed'],
    [
      '20260102T000003.000Z-seed',
      "no run is called '20260102T000003.000Z-seed'",
      'did you mean 20260102T000001.000Z-seed?',
    ],
    [
      'yesterday',
      "no run is called 'yesterday'",
      'there is 20260102T000002.000Z-seed, 20260102T000001.000Z-seed',
    ],
    ['./nosuch', './nosuch: no such file, and no directory with a result.json in it', undefined],
  ])('as %s is explained', async (selector, message, hint) => {
    await inNewDirectory(async () => {
      await saveRun(later(1), 'lightning')
      await saveRun(later(2), 'lightning')
      await expect(readRun(selector)).rejects.toMatchObject({ message, hint, exitCode: 2 })
    })
  })

  it('is not there at all', async () => {
    await inNewDirectory(async () => {
      const error = { message: 'no run is kept in this directory', exitCode: 2 }
      await expect(readRun('last')).rejects.toMatchObject(error)
      await expect(readRun('2026')).rejects.toMatchObject(error)
    })
  })

  it('is the latest one, where the last is gone', async () => {
    await inNewDirectory(async () => {
      await saveRun(later(2), 'lightning')
      const last = await saveRun(later(1), 'lightning')
      await rm(`${FOLDER}/runs/${last}`, { recursive: true })
      expect((await readRun('last')).startedAt).toBe(later(2).startedAt)
    })
  })

  it('can be somewhere else', async () => {
    await inNewDirectory(async () => {
      const id = await saveRun(failing, 'lightning')
      await rename(`${FOLDER}/runs/${id}`, 'artifact')
      expect(await readRun('artifact')).toEqual(failing)
    })
  })

  it('is not a damaged one', async () => {
    await inNewDirectory(async () => {
      const id = await saveRun(failing, 'lightning')
      const file = `${FOLDER}/runs/${id}/failed/diskfull-sweep-0123456789ab.3/history.jsonl`
      await writeFile(file, '{"type":"ph')
      await expect(readRun(id)).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringContaining(`${file}: is damaged, or no JSON`),
      })
      const timelines = `${FOLDER}/runs/${id}/timelines.jsonl`
      await writeFile(timelines, '[1,[],[],[],[],[],[],[],["kill",{}],[]]\n')
      await expect(readRun(id)).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringContaining(`${timelines}: is not a file of timelines (8.1. Invalid input`),
      })
      await writeFile('result.json', '{"schema":1,"scenarios":[]}')
      await expect(readRun('result.json')).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringContaining('result.json: is not a result.json of lightning-chaos (result'),
      })
    })
  })
})

describe('a baseline', () => {
  const scenarios = [
    { name: 'diskfull/sweep', passed: 3, counted: 4, violations: ['lost-write'] },
    { name: 'diskfull/xfs', passed: 0, counted: 0, violations: [] },
  ]

  it('is the same from a result and from its JSON report', async () => {
    await inNewDirectory(async () => {
      const id = await saveRun(failing, 'lightning')
      await writeFile('report.json', JSON.stringify(jsonReport(failing)))
      const { startedAt } = failing
      const target = { name: 'lightning', version: '1.0.0' }
      expect(await readBaseline('last')).toEqual({ name: id, target, startedAt, scenarios })
      expect(await readBaseline('report.json')).toEqual({ name: 'report.json', target, startedAt, scenarios })
    })
  })

  it('leaves out what was known', async () => {
    await inNewDirectory(async () => {
      const known = [{ scenario: 'diskfull', reason: 'issue 12', expires: '2027-01-01' }]
      const excused = { ...failing, gate: { ...failing.gate, known } }
      await writeFile('report.json', JSON.stringify(jsonReport(excused)))
      const { scenarios: found } = await readBaseline('report.json')
      expect(found[0]).toEqual({ name: 'diskfull/sweep', passed: 3, counted: 3, violations: [] })
    })
  })

  it.each([
    ['{', 'is damaged, or no JSON'],
    ['[]', 'is not a result.json or a JSON report'],
    ['null', 'is not a result.json of lightning-chaos'],
    ['{"schema":2}', 'is not a result.json or a JSON report (schema. Invalid input: expected 1)'],
  ])('is not %s', async (text, message) => {
    await inNewDirectory(async () => {
      await writeFile('x.json', text)
      await expect(readBaseline('x.json')).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringContaining(`x.json: ${message}`),
      })
    })
  })
})
