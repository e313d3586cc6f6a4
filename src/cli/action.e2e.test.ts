/** action.yml: its steps, as GitHub's runner starts them. */
import { existsSync, readFileSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { NoOperationTraceWriter } from '@actions/workflow-parser'
import { parseAction } from '@actions/workflow-parser/actions/action-parser'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { bash, project } from '../testing/ci.js'
import { IDENTITIES, ROOT } from '../testing/cli.js'

const content = readFileSync(path.join(ROOT, 'action.yml'), 'utf8')
const action = parse(content) as {
  inputs: Record<string, { default: string }>
  outputs: Record<string, { value: string }>
  runs: { steps: { id?: string; run: string; env?: Record<string, string> }[] }
}

test('is an action', () => {
  const { context } = parseAction({ name: 'action.yml', content }, new NoOperationTraceWriter())
  expect(context.errors.getErrors().map(({ message }) => message)).toEqual([])
})

test('no input is in the text of a script, where it would be code', () => {
  for (const { run } of action.runs.steps) expect(run).not.toContain('${{')
})

/** The whole action, with these inputs. */
async function use(cwd: string, inputs: Record<string, string>, prefix: readonly string[] = []) {
  const files = { GITHUB_OUTPUT: path.join(cwd, 'output'), GITHUB_STEP_SUMMARY: path.join(cwd, 'summary') }
  for (const file of Object.values(files)) {
    await writeFile(file, '')
    await chmod(file, 0o666)
  }
  const value = (expression: string) => {
    const [, input] = /^\$\{\{ inputs\.([\w-]+) \}\}$/.exec(expression) ?? []
    return inputs[input!] ?? action.inputs[input!]!.default
  }
  let last: Awaited<ReturnType<typeof bash>> | undefined
  for (const { run, env = {} } of action.runs.steps) {
    const given = Object.fromEntries(Object.entries(env).map(([name, text]) => [name, value(text)]))
    const github = { GITHUB_ACTIONS: 'true', CI: 'true', GITHUB_ACTION_PATH: ROOT, ...files }
    last = await bash(run, { cwd, prefix, env: { ...given, ...github } })
    if (last.exitCode !== 0) break
  }
  const lines = (await readFile(files.GITHUB_OUTPUT, 'utf8')).trimEnd().split('\n')
  const outputs = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)))
  return { ...last!, outputs, summary: await readFile(files.GITHUB_STEP_SUMMARY, 'utf8') }
}

describe.each(IDENTITIES)('as $name', ({ prefix }) => {
  test('it runs what the config says, and has every output that it promises', async () => {
    const cwd = await project('scenarios: [diskfull/neighbour]\ntrials: 1\nseed: mine\n')
    const { exitCode, stdout, outputs, summary } = await use(cwd, {}, prefix)
    expect(exitCode).toBe(0)
    expect(outputs).toEqual({
      met: 'true',
      'pass-rate': '1',
      'data-loss': '0',
      gate: 'PASS 100.0% (1/1) >= 95%',
      seed: 'mine',
    })
    expect(Object.values(action.outputs).map(({ value }) => value)).toEqual(
      Object.keys(action.outputs).map((name) => `\${{ steps.run.outputs.${name} }}`),
    )
    expect(Object.keys(action.outputs).sort()).toEqual(Object.keys(outputs).sort())
    expect(stdout).toMatch(/^::notice title=lightning-chaos::PASS 100\.0%25/m)
    expect(summary).toMatch(/^### ✅ lightning-chaos: PASS/)
  })
})

test('its inputs come before the config, and a gate that is missed fails the step', async () => {
  const cwd = await project('scenarios: [permissions]\ntrials: 9\n')
  const { exitCode, outputs } = await use(cwd, {
    scenarios: 'diskfull/neighbour\ndiskfull/open',
    target: 'lightning',
    trials: '1',
    gate: '50',
    arguments: '--timeout\n1ms\n\n--resume-timeout\n300ms\n',
  })
  expect(exitCode).toBe(1)
  expect(outputs).toMatchObject({ met: 'false', 'pass-rate': '0' })
  expect(outputs.gate).toMatch(/^FAIL 0\.0% \(0\/2\) < 50%/)
})

test.each(['scenarios', 'target', 'trials', 'gate', 'arguments'])(
  '%s is no code, whatever it says',
  async (input) => {
    const cwd = await project()
    const code = '$(touch pwned) `touch pwned` "; touch pwned; \' & touch pwned #'
    const { exitCode, stdout } = await use(cwd, { [input]: code })
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(existsSync(path.join(cwd, 'pwned'))).toBe(false)
  },
)
