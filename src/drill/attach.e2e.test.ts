/** A workload beside a drill: whoever loses what it acked is found, and nothing of it stays behind. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { BIN, cli, ROOT } from '../testing/cli.js'
import { type Ground, NO_GROUND, prepareGround } from '../testing/drill-ground.js'
import { readJournal } from './journal.js'

const POLL = { timeout: 30_000, interval: 20 }
const broken = (name: string) => `${process.execPath} ${path.join(ROOT, `fixtures/broken/${name}.js`)}`

describe.skipIf(NO_GROUND !== undefined)(`an attached workload (${NO_GROUND ?? 'root'})`, () => {
  let ground: Ground
  let before: ReturnType<Ground['snapshot']>
  beforeAll(() => {
    ground = prepareGround()
    before = ground.snapshot()
  })
  afterAll(() => ground.remove())
  afterEach(() => {
    expect(readJournal(ground.state)).toBeUndefined()
    expect(existsSync(path.join(ground.state, 'workload.json'))).toBe(false)
    expect(ground.snapshot()).toEqual(before)
  })

  const argv = (fault: string, ...options: string[]) => [
    ...['drill', fault, '--path', ground.data, '--state', ground.state, '--yes', '--attach-workload'],
    ...options,
  ]

  test.each([
    ['diskfull', 'swallows-errors', 'lost-write'],
    ['permissions', 'acks-into-memory', 'lost-write'],
    ['readonly', 'crashes-without-permission', 'open-failed'],
  ])('finds by %s what is wrong with %s: %s', async (fault, name, kind) => {
    const { stdout, exitCode, stderr } = await cli(
      argv(fault, '--for', '2s', '--target-cmd', broken(name), '--reporter', 'json'),
    )
    expect(exitCode, stderr).toBe(1)
    const { violations } = JSON.parse(stdout).scenarios[0]
    expect(violations.map((violation: { kind: string }) => violation.kind)).toContain(kind)
    // it does not write over the report that it is read in
    expect(violations[0].replay).toMatch(/^npx lightning-chaos drill (?!.*--reporter)/)
  })

  test('has nothing to say against the bundled database', async () => {
    const { stdout, exitCode, stderr } = await cli(
      argv('immutable', '--for', '1s', '--target', 'lightning', '--reporter', 'json'),
    )
    expect(exitCode, stdout + stderr).toBe(0)
    const { target, scenarios } = JSON.parse(stdout)
    expect(target.name).toMatch(/^host .*, with lightning \d+\.\d+\.\d+$/)
    expect(scenarios[0]).toMatchObject({ passed: 1, evidence: { EPERM: { probe: expect.any(Number) } } })
  })

  test('is not blamed where somebody has taken its directory away, which is removed all the same', async () => {
    const running = cli(argv('diskfull', '--leave', '4MiB', '--for', '2s', '--reporter', 'json'))
    const directory = () =>
      readdirSync(ground.data).find((name) => name.startsWith('.lightning-chaos-workload'))
    await expect.poll(() => directory() && readJournal(ground.state)?.armed, POLL).toBe(true)
    renameSync(path.join(ground.data, directory()!), path.join(ground.data, 'elsewhere'))
    const { exitCode, stdout, stderr } = await running
    expect(exitCode, stderr).toBe(1)
    const [scenario] = JSON.parse(stdout).scenarios
    expect(scenario).toMatchObject({ inconclusive: 1, violations: [] })
    expect(stdout).toMatch(/somebody has taken its directory away/)
  })

  test('has left its directory where something is mounted in it, which an undo removes once that is gone', async () => {
    const running = cli(argv('permissions', '--for', '1s'))
    const directory = () =>
      readdirSync(ground.data).find((name) => name.startsWith('.lightning-chaos-workload'))
    await expect.poll(() => directory() && readJournal(ground.state)?.armed, POLL).toBe(true)
    const point = path.join(ground.data, directory()!, 'theirs')
    mkdirSync(point)
    execFileSync('mount', ['-t', 'tmpfs', 'theirs', point])
    const { exitCode, stderr } = await running
    execFileSync('umount', [point])
    expect([exitCode, stderr]).toEqual([4, expect.stringMatching(/workload-.* cannot be removed: EBUSY/)])
    const undo = await cli(['drill', 'undo', '--state', ground.state])
    expect([undo.exitCode, undo.stdout]).toEqual([0, expect.stringMatching(/workload is removed/)])
  })

  test('has nothing of the environment of whoever calls it but what everybody may see', async () => {
    const seen = path.join(ground.directory, 'environment')
    writeFileSync(seen, '')
    chmodSync(seen, 0o666)
    const target = `sh -c 'env > ${seen}; exec ${broken('acks-into-memory')}'`
    await cli(argv('permissions', '--for', '1s', '--target-cmd', target), {
      env: { SECRET_OF_ROOT: 'hunter2', LC_TIME: 'C' },
    })
    const names = readFileSync(seen, 'utf8')
      .split('\n')
      .map((line) => line.split('=')[0])
    expect(names).toEqual(expect.arrayContaining(['PATH', 'HOME', 'LC_TIME']))
    expect(names).not.toContain('SECRET_OF_ROOT')
  })

  test('is undone when the tool is killed', async () => {
    const child = spawn(process.execPath, [BIN, ...argv('permissions', '--for', '60s')], { stdio: 'ignore' })
    const ended = once(child, 'exit')
    const attached = () =>
      readdirSync(ground.data).some((name) => name.startsWith('.lightning-chaos-workload'))
    await expect.poll(() => attached() && readJournal(ground.state)?.armed, POLL).toBe(true)
    child.kill('SIGKILL')
    await ended
    // the watchdog undoes the fault by itself; the directory goes with the undo
    await expect.poll(() => readJournal(ground.state), POLL).toBeUndefined()
    expect(attached()).toBe(true)
    // deeper than a call stack, or any path
    const deep = `import os, glob
os.chdir(glob.glob("${ground.data}/.lightning-chaos-workload-*")[0])
for _ in range(7000): os.mkdir("d"); os.chdir("d")`
    execFileSync('python3', ['-c', deep])
    const status = await cli(['drill', 'status', '--state', ground.state])
    expect(status.stdout).toMatch(/the directory of a workload was left: .*workload-/)
    const { stdout, exitCode } = await cli(['drill', 'undo', '--state', ground.state])
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/the directory of an attached workload is removed/)
  })

  test('is about a directory, and has a target only where it is attached', async () => {
    const slow = await cli(argv('slow', '--pid', String(process.pid)))
    expect(slow.stderr).toMatch(/slow is about processes/)
    const options = ['--path', ground.data, '--state', ground.state, '--target', 'sqlite']
    const { stderr, exitCode } = await cli(['drill', 'permissions', ...options])
    expect(stderr).toMatch(/--target is the target of a workload/)
    expect(exitCode).toBe(2)
  })
})
