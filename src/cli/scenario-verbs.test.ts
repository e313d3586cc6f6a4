import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ExitCode, UsageError } from '../errors.js'
import { CollectingStream } from '../testing/stream.js'
import { list } from './list.js'
import { createScreen, type Screen } from './screen.js'
import { show } from './show.js'
import { validate } from './validate.js'

const YAML = `
name: mine
title: A title
why: It matters to everybody who ever had a disk, and even more so to those who will have one, or two, or three of them
bug: { text: A bug, link: https://example.org }
volume: { kind: tmpfs, size: 1MiB }
workload: { keys: 10 }
timeline:
  - { do: inject, fault: ballast }
  - { do: repeat, times: 2, steps: [{ do: kill }, { do: start }] }
trials: 3
`

let directory: string
let mine: string
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'lightning-chaos-test-'))
  mine = path.join(directory, 'mine.yaml')
  await writeFile(mine, YAML)
})
afterAll(() => rm(directory, { recursive: true }))

let stdout: CollectingStream
let stderr: CollectingStream
let screen: Screen
beforeEach(() => {
  stdout = new CollectingStream()
  stderr = new CollectingStream()
  screen = createScreen({}, { stdout, stderr })
})
const printed = () => ({
  out: stdout.drained().replaceAll(directory, 'DIR'),
  err: stderr.drained().replaceAll(directory, 'DIR'),
})

describe('list', () => {
  it('is a line a scenario', async () => {
    await list({ selectors: [mine], json: false }, screen)
    expect(printed()).toEqual({
      out: 'name  volume       faults   trials  title\nmine  tmpfs 1 MiB  ballast       3  A title\n',
      err: '',
    })
  })

  it('is JSON', async () => {
    await list({ selectors: [mine], json: true }, screen)
    const { out, err } = printed()
    expect(err).toBe('')
    expect(JSON.parse(out)).toEqual([
      {
        name: 'mine',
        title: 'A title',
        volume: { kind: 'tmpfs', size: 1_048_576 },
        faults: ['ballast'],
        needs: expect.arrayContaining(['tmpfs']),
        trials: 3,
      },
    ])
  })

  it('is of every built-in scenario', async () => {
    await list({ selectors: [], json: true }, screen)
    const names = JSON.parse(printed().out).map(({ name }: { name: string }) => name)
    expect(names).toEqual(expect.arrayContaining(['diskfull/sweep', 'permissions/directory']))
  })
})

describe('show', () => {
  it('tells everything, and keeps to the width', async () => {
    await show({ selectors: [mine], json: false }, screen)
    const { out } = printed()
    expect(out).toMatchInlineSnapshot(`
      "mine  A title

      why       It matters to everybody who ever had a disk, and even more so to those who will have one, or two, or three
                  of them
      bug       A bug
                https://example.org
      volume    tmpfs of 1 MiB
      workload  4 clients with 4 requests each in flight, over 10 keys with values from nothing to 64 KiB; put 50%, delete
                  8%, batch 6%, get 30%, scan 6%
      timeline  start the target and open the data directory
                inject ballast (leave 0 B): A neighbour's file fills the volume
                2 times:
                  kill the process with SIGKILL
                  start the target and open the data directory
                then, as in every scenario: heal what is still on, wait for writes to work again, read everything back; kill
                  in the middle of operations, start, read everything back; a few more operations, stop, start, read
                  everything back
      evidence  ballast: ENOSPC
      needs     a volume with a quota in memory (tmpfs)
      trials    3, unless --trials says otherwise
      "
    `)
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120)
  })

  it('is JSON with every default filled in', async () => {
    await show({ selectors: [mine], json: true }, screen)
    expect(JSON.parse(printed().out)).toMatchObject([{ name: 'mine', workload: { keys: 10, clients: 4 } }])
  })

  it('suggests the name that was meant', async () => {
    const error = await show({ selectors: ['diskfull/swep'], json: false }, screen).catch(
      (error: unknown) => error,
    )
    expect(error).toBeInstanceOf(UsageError)
    expect(error).toMatchObject({
      message: "no scenario is called 'diskfull/swep'",
      hint: 'did you mean diskfull/sweep?',
    })
    expect(printed()).toEqual({ out: '', err: '' })
  })
})

describe('validate', () => {
  it('says ok of each file that is', async () => {
    expect(await validate([mine, mine], screen)).toBe(ExitCode.gateMet)
    expect(printed()).toEqual({ out: 'ok  DIR/mine.yaml (mine)\n'.repeat(2), err: '' })
  })

  it('goes on after a file that is wrong, and tells what is', async () => {
    const wrong = path.join(directory, 'wrong.yaml')
    await writeFile(wrong, YAML.replace('1MiB', '1').replace('trials', 'trails'))
    const folder = path.join(directory, 'folder')
    await mkdir(folder)
    expect(await validate([wrong, folder, mine], screen)).toBe(ExitCode.usage)
    expect(printed()).toEqual({
      out: 'ok  DIR/mine.yaml (mine)\n',
      err: [
        'DIR/wrong.yaml:6:30: found 1, expected at least 256 KiB, the least that tmpfs works with',
        "DIR/wrong.yaml:11:1: unknown key 'trails', did you mean trials?",
        'DIR/folder: is a directory, expected a scenario file',
        '  name one: DIR/folder/NAME.yaml',
        '',
      ].join('\n'),
    })
  })
})
