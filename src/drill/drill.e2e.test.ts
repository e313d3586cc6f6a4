/** A drill from the command line to its verdict, its reports and what is kept of it. */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { cli } from '../testing/cli.js'
import { describeDrills, start } from '../testing/drills.js'

describeDrills('drills', ({ ground, argv, place, drill, undo }) => {
  test('expectations decide, and a round is a trial in every report', async () => {
    const report = path.join(ground.directory, 'report.json')
    const dd = `setpriv --reuid=65534 --regid=65534 --clear-groups dd if=/dev/zero of=${ground.data}/probe bs=2M count=1 conv=fsync status=none`
    const write = `sh -c '${dd}; code=$?; rm -f ${ground.data}/probe; exit $code'`
    const full = argv(
      'diskfull',
      ...place(),
      '--leave',
      '1MiB',
      '--for',
      '1s',
      '--every',
      '200ms',
      '--probe',
      write,
    )
    const met = await cli([
      ...full,
      ...['--rounds', '2'],
      '--expect-during',
      'fail',
      '--expect-error',
      'No space left',
      `--reporter=json=${report}`,
    ])
    expect(met.exitCode, met.stdout + met.stderr).toBe(0)
    expect(met.stderr).toMatch(/\[\.\.\.\|x+\.?\|/)
    const { gate, scenarios } = JSON.parse(readFileSync(report, 'utf8'))
    expect(gate.met).toBe(true)
    expect(scenarios).toMatchObject([{ name: 'drill/diskfull', volume: 'ext4', trials: 2, passed: 2 }])
    const missed = await cli([...full, '--expect-during', 'pass'])
    expect(missed.exitCode).toBe(1)
    expect(missed.stdout).toMatch(/unmet-expectation \(grace\): while the fault was on/)
  })

  test('is not done again where the host is marked as one in production meanwhile', async () => {
    const cwd = path.join(ground.directory, 'marked')
    mkdirSync(cwd)
    const marker = path.join(cwd, 'production')
    writeFileSync(path.join(cwd, 'lightning-chaos.config.yaml'), `production-markers: ['${marker}']\n`)
    const { exitCode, stdout } = await cli(
      argv('permissions', ...place(), '--for', '300ms', '--rounds', '3', '--probe', `touch ${marker}`),
      { cwd },
    )
    expect(stdout).toMatch(/not done: this host is marked as one in production/)
    expect(exitCode).toBe(1)
  })

  test('a drill that is kept in a file is the same drill, and can be exported', async () => {
    const file = path.join(ground.directory, 'drill.yaml')
    const kept = await cli(
      argv('diskfull', ...place(), '--leave', '1MiB', '--for', '300ms', '--probe', 'true', '--save', file),
    )
    expect(kept.exitCode, kept.stderr).toBe(0)
    expect(existsSync(ground.state)).toBe(false)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const { exitCode, stdout, stderr } = await cli(['drill', 'run', file, '--yes', '--state', ground.state])
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/drill\/diskfull .* 100.0% +ENOSPC probe 1/)
    const experiment = JSON.parse((await cli(['drill', 'export', file, '--chaostoolkit'])).stdout)
    expect(experiment.method[0].provider.arguments).toEqual(['drill', 'run', file, '--yes'])
  })

  test('the line that does it again has no password', async () => {
    const asked = [
      '--probe',
      'true',
      '--expect-during',
      'fail',
      '--abort-if',
      'redis://:p@ssw0rd@127.0.0.1:1',
    ]
    const { stdout, stderr } = await drill(
      'permissions',
      ...place(),
      '--for',
      '300ms',
      '--steady',
      '1',
      ...asked,
    )
    expect(stdout).toMatch(/lightning-chaos drill .*redis:\/\/:…@127.0.0.1:1/)
    expect(stdout + stderr).not.toMatch('ssw0rd')
  })

  test.each([
    ['no directory', ['--state', ''], /'--state <directory>' argument '' is invalid/],
    ['no file', ['--save', ''], /'--save <file>' argument '' is invalid/],
    ['a number that no user has', ['--user', '99999999999'], /--user 99999999999: /],
    ['a process and a unit', ['--pid', '1', '--service', 'x'], /cannot be used with/],
    ['an expectation without a probe', ['--expect-during', 'pass'], /nothing is expected of a drill without/],
    ['a wrong URL', ['--abort-if', 'postgres://%@127.0.0.1'], /^error: --abort-if postgres/m],
  ])('%s is wrong usage: %j', async (_, options, why) => {
    const { exitCode, stderr } = await drill('diskfull', ...place(), ...options)
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(why)])
  })

  test('more than is free cannot be left, which is no matter of rights', async () => {
    const { exitCode, stderr } = await drill('diskfull', ...place(), '--leave', '60MiB')
    expect([exitCode, stderr]).toEqual([3, expect.stringMatching(/ENOSPC\n.*make room, or leave less/)])
  })

  test('one question, and one look, have an exit code', async () => {
    expect((await cli(['drill', 'probe', 'true'])).exitCode).toBe(0)
    const failed = await cli(['drill', 'probe', `sh -c 'echo no; exit 2'`])
    expect([failed.exitCode, failed.stdout]).toEqual([1, expect.stringMatching(/^fails, .*: exit 2: no\n$/)])
    // what it leaves running, with its output open, is not waited for
    const file = path.join(ground.directory, 'left')
    const left = await cli(['drill', 'probe', `sh -c 'sleep 1000 & echo $! > ${file}'`])
    expect(left.exitCode).toBe(0)
    process.kill(Number(readFileSync(file, 'utf8')))
    const status = ['drill', 'status', '--check', '--state', ground.state]
    expect((await cli(status)).exitCode).toBe(0)
    const running = await start(argv('permissions', ...place(), '--for', '60s'))
    expect((await cli(status)).exitCode).toBe(1)
    await undo()
    await running.end()
    expect((await cli(status)).exitCode).toBe(0)
  })

  test('no round begins after one of which it is not sure that it is undone', async () => {
    // root gives the directory a mode of its own meanwhile, which stays
    const mode = `test $(stat -c %a ${ground.data}) != 555 || chmod 500 ${ground.data}`
    const probe = ['--probe', `sh -c '${mode}'`, '--every', '100ms']
    const { exitCode, stdout, stderr } = await drill(
      'permissions',
      ...place(),
      ...probe,
      ...['--for', '1s', '--rounds', '3', '--gate', '0%'],
    )
    chmodSync(ground.data, 0o755)
    expect(stdout).toMatch(/it could not be verified that all is undone/)
    expect(stdout).toMatch(/the run is not complete/)
    expect(exitCode).toBe(1)
    expect(stderr).not.toMatch(/round 2/)
  })
})
