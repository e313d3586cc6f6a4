import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import { HostError } from '../errors.js'
import { BUNDLED_TARGETS } from '../target/registry.js'
import { commandTarget } from '../target/resolve.js'
import type { TargetSpec } from '../target/spec.js'
import { TargetNotStarted } from '../target/start-error.js'
import { checkTarget } from './target-check.js'

// Each check starts a process or two.
vi.setConfig({ testTimeout: 60_000 })

async function check(spec: TargetSpec) {
  const lines: string[] = []
  const findings = await checkTarget(spec, { answerMs: 5000, print: (line) => lines.push(line) })
  return { findings, lines }
}

function fixture(name: string): TargetSpec {
  const file = fileURLToPath(new URL(`../../fixtures/misbehaving/${name}.js`, import.meta.url))
  return commandTarget([process.execPath, file])
}

describe('checkTarget', () => {
  it('says in words what is wrong with a target that keeps everything in memory', async () => {
    const { findings, lines } = await check(fixture('well-behaved'))
    expect(findings.filter(({ severity }) => severity === 'error')).toMatchObject([
      {
        title: 'scans in the order of the UTF-8 bytes of the keys',
        found: expect.stringContaining('"😀","～"'),
      },
      { title: 'answers an unknown operation, and goes on', found: expect.stringContaining('TypeError') },
      { title: 'has everything after it was killed', found: 'get of "k" is null', expected: '"v"' },
    ])
    expect(findings.filter(({ severity }) => severity === 'warning').map(({ found }) => found)).toEqual([
      "'delete' is not offered",
      "'batch' is not offered",
      "'sync' is not offered",
      "'compact' is not offered",
      'get of "k" is "v"',
    ])
    expect(lines.slice(-7)).toEqual([
      'FAIL  has everything after it was killed',
      '        found:    get of "k" is null',
      '        expected: "v"',
      'ok    ends with exit code 0 when it was closed and its stdin ends',
      'warn  opens another directory in the same process',
      '        found:    get of "k" is "v"',
      '        expected: null',
    ])
  })

  it.each([
    ['dies-at-once', 'says who it is', 'exited with code 3; its last words: '],
    ['prints-garbage', 'opens an empty directory, keeps a value and gives it back', 'not JSON: '],
  ])('tries nothing more of %s', async (name, title, found) => {
    const { findings } = await check(fixture(name))
    expect(findings).toMatchObject([{ severity: 'error', title, found: expect.stringContaining(found) }])
  })

  it('has no findings where there is no program', async () => {
    await expect(check(commandTarget(['/no/such/program']))).rejects.toThrow(TargetNotStarted)
  })
})

describe('the example of docs/target-protocol.md', () => {
  it('is right, where there is a Python to run it', async () => {
    const text = await readFile(new URL('../../docs/target-protocol.md', import.meta.url), 'utf8')
    const example = /^```python\n(.*?)^```$/ms.exec(text)?.[1] ?? ''
    const result = await check(commandTarget(['python3', '-c', example])).catch((error: unknown) => error)
    if (result instanceof TargetNotStarted) expect(result.errno).toBe('ENOENT')
    else expect(result).toMatchObject({ findings: ['sync', 'compact'].map(notOffered) })
  })

  const notOffered = (op: string) => ({ severity: 'warning', found: `'${op}' is not offered` })
})

describe('the bundled sqlite', () => {
  it('is right, or the host has no driver for it and is told how to get one', async () => {
    const spec = await BUNDLED_TARGETS.sqlite?.().catch((error: unknown) => error)
    if (spec instanceof HostError) expect(spec.hint).toContain('npm install better-sqlite3')
    else expect((await check(spec as TargetSpec)).findings).toEqual([])
  })
})
