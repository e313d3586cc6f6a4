/** A file system that stands still, and goes on. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { BIN, cli } from '../../testing/cli.js'
import { describeDrills, POLL, start } from '../../testing/drills.js'
import { processesWith } from '../host/processes.js'
import { readJournal } from '../journal.js'
import { drillMark } from '../plan.js'

const PIDS = '/sys/fs/cgroup/pids'

describeDrills('stall', ({ argv, ground, drill, place }) => {
  test('what somebody else froze stays so', async () => {
    const calls = path.join(ground.directory, 'calls')
    writeFileSync(calls, '')
    // the third time it is asked, a backup begins
    const probe = `sh -c 'echo >> ${calls}; test $(wc -l < ${calls}) -ne 3 || fsfreeze --freeze ${ground.mountPoint}'`
    const { exitCode, stderr } = await drill(
      'stall',
      ...place(),
      '--for',
      '1s',
      '--probe',
      probe,
      '--every',
      '100ms',
    )
    // fails where it was thawed
    execFileSync('fsfreeze', ['--unfreeze', ground.mountPoint])
    expect([exitCode, stderr]).toEqual([3, expect.stringMatching(/is frozen already, by somebody else/)])
  })

  test('writers wait, and go on', async () => {
    const { exitCode, stdout, stderr } = await drill('stall', ...place(), '--for', '2s')
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/BLOCKED probe 1/)
  })

  test('a program that outlives its watchdog does nothing after the undo', async () => {
    const slow = path.join(ground.directory, 'slow')
    mkdirSync(slow)
    writeFileSync(
      path.join(slow, 'fsfreeze'),
      '#!/bin/sh\ntouch "$0.begun"\nsleep 2\nexec /usr/sbin/fsfreeze "$@"\n',
      { mode: 0o755 },
    )
    const argv = [BIN, 'drill', 'stall', ...place(), '--state', ground.state, '--yes', '--for', '30s']
    const env = { ...process.env, PATH: `${slow}:${process.env.PATH}` }
    const tool = spawn(process.execPath, argv, { env, stdio: 'ignore' })
    const ended = once(tool, 'exit')
    await expect.poll(() => existsSync(path.join(slow, 'fsfreeze.begun')), POLL).toBe(true)
    const { plan, watchdog: name } = readJournal(ground.state)!
    const watchdog = Number(name!.split('.')[0])
    const programs = () => processesWith(drillMark(plan!)).filter((pid) => pid !== watchdog)
    expect(programs()).not.toEqual([])
    tool.kill('SIGKILL')
    process.kill(watchdog, 'SIGKILL')
    await ended
    const { exitCode, stdout, stderr } = await cli(['drill', 'undo', '--state', ground.state])
    expect(exitCode, stdout + stderr).toBe(0)
    expect(programs()).toEqual([])
    await sleep(2500)
    // would wait for ever, were it frozen
    execFileSync('timeout', ['5', 'touch', path.join(ground.data, 'file')])
    rmSync(path.join(ground.data, 'file'))
  })

  test('never of what the tool itself needs', async () => {
    const needed = path.join(ground.directory, 'data')
    mkdirSync(needed)
    const { exitCode, stderr } = await drill('stall', '--path', needed, '--allow-root-filesystem')
    expect(stderr).toMatch(/may not stand still/)
    expect(exitCode).toBe(3)
  })

  test('nor of what holds the image of the file system with its journal', async () => {
    const image = path.join(ground.mountPoint, 'image')
    const state = path.join(ground.directory, 'small')
    mkdirSync(state, { mode: 0o700 })
    writeFileSync(image, Buffer.alloc(2 * 1024 * 1024))
    execFileSync('mkfs.ext4', ['-q', '-F', image])
    execFileSync('mount', ['-o', 'loop', image, state])
    try {
      const { exitCode, stderr } = await cli(['drill', 'stall', ...place(), '--state', state, '--yes'])
      expect(stderr).toMatch(/small needs the file system of .*data, which then may not stand still/)
      expect(exitCode).toBe(3)
    } finally {
      execFileSync('umount', [state])
      rmSync(image)
    }
  })

  test.skipIf(!existsSync(PIDS))('is thawed as soon as a program can be started again', async () => {
    const group = path.join(PIDS, `lightning-test-${process.pid}`)
    mkdirSync(group)
    const running = await start(argv('stall', ...place(), '--for', '1s'))
    writeFileSync(path.join(group, 'cgroup.procs'), String(running.watchdog))
    writeFileSync(path.join(group, 'pids.max'), '1')
    await sleep(2500)
    const writer = spawn('touch', [path.join(ground.data, 'main.db')])
    await sleep(500)
    expect(writer.exitCode).toBe(null)
    writeFileSync(path.join(group, 'pids.max'), 'max')
    const { code, output } = await running.end()
    rmdirSync(group)
    expect(code, output).toBe(0)
  })
})
