import { mkdir, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.js'
import { freshPath } from '../testing/directory.js'
import { runResult } from '../testing/results.js'
import { CollectingStream } from '../testing/stream.js'
import { openOutputs } from './outputs.js'
import { createScreen } from './screen.js'

async function directory(): Promise<string> {
  const made = freshPath()
  await mkdir(made)
  return made
}

/** What the choices write to the two streams. */
async function written(...given: Parameters<typeof openOutputs>) {
  const streams = { stdout: new CollectingStream(), stderr: new CollectingStream() }
  const outputs = await openOutputs(...given)
  await outputs.write(runResult(), createScreen({}, streams))
  return { stdout: streams.stdout.drained(), stderr: streams.stderr.drained() }
}

describe('openOutputs', () => {
  it('writes each report to its own file, and the one without to stdout', async () => {
    const cwd = await directory()
    const names = ['json', 'junit', 'markdown', 'github'] as const
    const { stdout, stderr } = await written(
      [
        ...names.map((name) => ({ name, file: path.join(cwd, `report.${name}`) })),
        { name: 'dot', file: undefined },
      ],
      undefined,
    )
    expect(stdout).toMatch(/^diskfull\/sweep {2}\.{8}\n/)
    expect(stderr).toBe('')
    const begins = { json: '{\n', junit: '<?xml ', markdown: '### ✅', github: '::notice ' }
    for (const name of names) {
      const text = await readFile(path.join(cwd, `report.${name}`), 'utf8')
      expect(text.slice(0, begins[name].length)).toBe(begins[name])
    }
    expect(await readdir(cwd)).toHaveLength(names.length)
  })

  it('has --output for the one reporter without a file', async () => {
    const file = path.join(await directory(), 'report.json')
    const other = path.join(path.dirname(file), 'report.xml')
    const choices = [
      { name: 'json', file: undefined },
      { name: 'junit', file: other },
    ]
    expect(await written(choices, file)).toEqual({ stdout: '', stderr: '' })
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ schema: 1 })
  })

  it('refuses two reports for one file, however it is written', async () => {
    const cwd = await directory()
    const file = path.join(cwd, 'report')
    const same = `${cwd}/../${path.basename(cwd)}/report`
    for (const [choices, output] of [
      [[file, same], undefined],
      [[file, undefined], same],
    ] as const) {
      const [first, second] = choices
      const both = [
        { name: 'json', file: first },
        { name: 'junit', file: second },
      ]
      await expect(openOutputs(both, output)).rejects.toThrow(`two reporters would write to ${file}, and`)
    }
  })

  it('says before a run that the directory for a report is not there', async () => {
    const file = path.join(await directory(), 'absent', 'report.xml')
    const opened = openOutputs([{ name: 'junit', file }], undefined)
    await expect(opened).rejects.toThrow(UsageError)
    await expect(opened).rejects.toThrow(`${file} cannot be written: ENOENT`)
  })
})
