import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UsageError } from '../errors.js'
import { loadTargetFile } from './target-file.js'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'lightning-chaos test '))
})
afterAll(() => rm(directory, { recursive: true }))

async function load(text: string | Buffer, name = 'my-db.yaml') {
  const file = path.join(directory, name)
  await writeFile(file, text)
  return loadTargetFile(file)
}

async function mistake(text: string | Buffer): Promise<string> {
  const error = await load(text).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(UsageError)
  return (error as UsageError).message.replaceAll(directory, 'DIR')
}

describe('loadTargetFile', () => {
  it('takes a command as a list, with everything else left out', async () => {
    expect(await load('command: [python3, my.py, "{dir}"]')).toEqual({
      name: 'my-db',
      command: ['python3', 'my.py', '{dir}'],
      environment: {},
      contract: { waived: {} },
    })
  })

  it('takes a command as one text, and all the rest', async () => {
    const text = `
name: mine
command: python3 'my adapter.py' {dir}
environment: { MODE: fast }
contract:
  waive:
    deletes-when-full: its log is append-only
`
    expect(await load(text)).toEqual({
      name: 'mine',
      command: ['python3', 'my adapter.py', '{dir}'],
      environment: { MODE: 'fast' },
      contract: { waived: { 'deletes-when-full': 'its log is append-only' } },
    })
  })

  it('finds a program with a relative path beside the file', async () => {
    const { command } = await load('command: ./bin/adapter ./data')
    expect(command).toEqual([path.join(directory, 'bin/adapter'), './data'])
  })

  it.each([
    ['', 'DIR/my-db.yaml:1:1: the file is empty'],
    ['name: x', "DIR/my-db.yaml:1:1: missing key 'command', "],
    ['command: []', 'DIR/my-db.yaml:1:10: found a list, '],
    ["command: ''", "DIR/my-db.yaml:1:10: found '', expected a program and its arguments"],
    [`command: "x 'y"`, `DIR/my-db.yaml:1:10: found 'x 'y', expected balanced quotes: `],
    ['command: x\ncomand: y', "DIR/my-db.yaml:2:1: unknown key 'comand', did you mean command?"],
    ['command: x\nenvironment: { A: 1 }', 'DIR/my-db.yaml:2:19: found 1, expected a text'],
    [
      'command: x\ncontract: { waive: { deletes-when-fulll: no } }',
      "unknown key 'deletes-when-fulll', did you mean deletes-when-full?",
    ],
    [Buffer.from([0xff, 0xfe]), 'DIR/my-db.yaml: is not a text in UTF-8'],
  ])('%j is a mistake', async (text, message) => {
    expect(await mistake(text)).toContain(message)
  })

  it('names a file that is not there, and a directory', async () => {
    await expect(loadTargetFile('/no/such.yaml')).rejects.toThrow('/no/such.yaml: no such file')
    await mkdir(path.join(directory, 'folder.yaml'))
    await expect(loadTargetFile(path.join(directory, 'folder.yaml'))).rejects.toThrow('is a directory')
  })
})
