/** A small volume in the place of a directory, and the service that is stopped and started around it. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { BIN, cli } from '../../testing/cli.js'
import { describeDrills, POLL } from '../../testing/drills.js'
import { mounts } from '../host/mounts.js'
import { processesWith, processState } from '../host/processes.js'
import { readJournal } from '../journal.js'
import { drillMark } from '../plan.js'

describeDrills('quota-volume', ({ ground, services, drill, place, contain }) => {
  const log = () => path.join(ground.directory, 'service.log')
  const says = (what: 'stop' | 'start') =>
    `sh -c 'echo ${what} >> ${log()}; grep CapBnd /proc/self/status >> ${log()}; exec ${ground.service[what]}'`
  const commands = () => ['--stop-cmd', ground.service.stop, '--start-cmd', ground.service.start]
  const servicePid = () => Number(readFileSync(path.join(ground.directory, 'pid'), 'latin1'))
  afterEach(() => execFileSync(ground.service.stop))

  test('is a small disk with a copy of everything, and is gone with what was written to it', async () => {
    writeFileSync(log(), '')
    const tree = () => {
      const { mounts: _, ...files } = ground.snapshot()
      // what a copy has: another inode, and no attributes of the file system
      return Object.entries(files)
        .filter(([name]) => name.startsWith(ground.data) && name !== ground.data)
        .map(([name, facts]) => [name, facts.replace(/^((?:\S+ ){4})\d+/, '$1').replace(/ 0x[0-9a-f]+/, '')])
    }
    const whole = tree()
    const both = ['--stop-cmd', says('stop'), '--start-cmd', says('start')]
    const running = drill('quota-volume', ...place(), '--size', '8MiB', ...both, '--for', '4s')
    const big = path.join(ground.data, 'big')
    await expect.poll(() => readFileSync(log(), 'utf8'), POLL).toMatch(/start/)
    expect(tree()).toEqual(whole)
    expect(() => writeFileSync(big, Buffer.alloc(9 * 1024 * 1024))).toThrow(/ENOSPC/)
    const { exitCode, stdout, stderr } = await running
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/QUOTA probe 1/)
    expect(existsSync(big)).toBe(false)
    const lines = readFileSync(log(), 'utf8').trim().split('\n')
    expect(lines.filter((line) => !line.startsWith('CapBnd'))).toEqual(['stop', 'start', 'stop', 'start'])
    // the service is started with all that whoever called the drill had
    const own = /^CapBnd:.*$/m.exec(readFileSync('/proc/self/status', 'latin1'))![0]
    expect(new Set(lines.filter((line) => line.startsWith('CapBnd')))).toEqual(new Set([own]))
  })

  test('is not called undone where its volume is not where it was made', async () => {
    const volume = ['--size', '8MiB', '--stop-cmd', 'true', '--start-cmd', 'true']
    const running = drill('quota-volume', ...place(), ...volume, '--for', '3s')
    const log = path.join(ground.state, 'audit.jsonl')
    const isOn = () => readFileSync(log, 'utf8').trim().split('\n').at(-1)
    await expect.poll(isOn, POLL).toMatch(`"injected"`)
    const away = `${ground.state}.away`
    renameSync(ground.state, away)
    const { exitCode, stdout, stderr } = await running
    rmSync(ground.state, { recursive: true })
    renameSync(away, ground.state)
    expect([exitCode, stderr]).toEqual([
      4,
      expect.stringMatching(/is mounted over .*, and its volume is not/),
    ])
    const undo = await cli(['drill', 'undo', '--state', ground.state])
    expect(undo.exitCode, stdout + undo.stderr).toBe(0)
  })

  test('takes its room beforehand, where there is enough', async () => {
    const { exitCode, stderr } = await drill(
      ...['quota-volume', ...place(), '--size', '1000000GiB', '--stop-cmd', 'true', '--start-cmd', 'true'],
    )
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/takes too much of the .* that are free/)])
  })

  test('has to hold the data, and a service that can be stopped and started', async () => {
    const small = await drill(
      'quota-volume',
      ...place(),
      '--size',
      '1MiB',
      '--stop-cmd',
      'true',
      '--start-cmd',
      'true',
    )
    expect(small.stderr).toMatch(/a volume of 1 MiB does not hold/)
    const none = await drill('quota-volume', ...place(), '--size', '8MiB')
    expect(none.stderr).toMatch(/--service UNIT, or both commands/)
    expect([small.exitCode, none.exitCode]).toEqual([2, 2])
  })

  /** Starts a drill, and waits until its audit log has an event. */
  async function begun(until: 'armed' | 'injected', ...options: string[]) {
    const log = path.join(ground.state, 'audit.jsonl')
    rmSync(log, { force: true })
    const argv = ['quota-volume', ...place(), '--size', '8MiB', '--state', ground.state, '--yes', ...options]
    const tool = spawn(process.execPath, [BIN, 'drill', ...argv], { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    tool.stderr.on('data', (chunk) => (stderr += chunk))
    const ended = once(tool, 'close')
    const events = () => (existsSync(log) ? readFileSync(log, 'utf8') : stderr)
    await expect.poll(events, POLL).toMatch(`"${until}"`)
    return {
      tool,
      ended,
      stderr: () => stderr,
      watchdog: Number(readJournal(ground.state)?.watchdog?.split('.')[0]),
    }
  }

  test('follows no link that the user of the service puts in the place of a directory meanwhile', async () => {
    const secret = path.join(ground.directory, 'secret')
    const race = path.join(ground.data, 'race')
    for (const directory of [secret, race]) mkdirSync(directory)
    chmodSync(secret, 0o700)
    writeFileSync(path.join(secret, 'key'), 'secret')
    for (let pair = 0; pair < 50; pair += 1) {
      mkdirSync(path.join(race, `d${pair}`))
      symlinkSync(secret, path.join(race, `l${pair}`))
    }
    chownSync(race, 65534, 65534)
    const exchange = `import ctypes
rename = ctypes.CDLL(None, use_errno=True).renameat2
pairs = [(b"${race}/d%d" % each, b"${race}/l%d" % each) for each in range(50)]
print("there")
while True:
  for one, other in pairs: rename(-100, one, -100, other, 2)
`
    const exchanger = spawn('python3', ['-uc', exchange], { stdio: ['ignore', 'pipe', 'inherit'] })
    services.push(exchanger)
    try {
      await once(exchanger.stdout, 'data')
      const { tool, ended } = await begun('armed', ...commands(), '--for', '60s')
      const isOn = () => readFileSync(path.join(ground.state, 'audit.jsonl'), 'utf8').includes('"injected"')
      // where it was met, the copy fails, which is well
      await expect.poll(() => isOn() || tool.exitCode !== null, POLL).toBe(true)
      exchanger.kill('SIGKILL')
      await once(exchanger, 'exit')
      const stolen = readdirSync(race).filter(
        (name) => lstatSync(path.join(race, name)).isDirectory() && existsSync(path.join(race, name, 'key')),
      )
      tool.kill('SIGINT')
      await ended
      expect(stolen).toEqual([])
    } finally {
      rmSync(race, { recursive: true })
    }
  })

  test('passes only where something that was started on it uses it', async () => {
    const both = ['--size', '8MiB', '--stop-cmd', 'true', '--start-cmd', 'true', '--for', '300ms']
    const nobody = await drill('quota-volume', ...place(), ...both)
    expect(nobody.stdout).toMatch(/no evidence that the fault was there/)
    expect(nobody.stderr).toMatch(/no process that was started on it has anything open there/)
    execFileSync(ground.service.start)
    const goesOn = await drill('quota-volume', ...place(), ...both)
    expect(goesOn.stderr).toMatch(/'true' stops nothing: sleep \(\d+\) still has something open/)
    expect([nobody.exitCode, goesOn.exitCode]).toEqual([1, 3])
  })

  test('proves nothing to a service that does not see it', async () => {
    const elsewhere = await contain()
    const start = `nsenter --mount=/proc/${elsewhere.pid}/ns/mnt ${ground.service.start}`
    const both = ['--stop-cmd', ground.service.stop, '--start-cmd', start]
    const { exitCode, stdout, stderr } = await drill(
      'quota-volume',
      ...place(),
      '--size',
      '8MiB',
      ...both,
      '--for',
      '1s',
    )
    expect(stdout, stderr).toMatch(/no evidence that the fault was there/)
    expect(exitCode).toBe(1)
  })

  test('starts a service that knows nothing of the drill', async () => {
    const file = path.join(ground.directory, 'environment')
    const start = `sh -c 'env > ${file}; exec ${ground.service.start}'`
    const both = ['--stop-cmd', ground.service.stop, '--start-cmd', start]
    const { exitCode } = await drill('quota-volume', ...place(), '--size', '8MiB', ...both, '--for', '300ms')
    expect(exitCode).toBe(0)
    expect(readFileSync(file, 'utf8')).not.toMatch('LIGHTNING_CHAOS_DRILL')
  })

  test('a stop that outlives its watchdog stops nothing after the undo', async () => {
    const slow = path.join(ground.directory, 'slow-stop')
    writeFileSync(slow, `#!/bin/sh\ntouch $0.begun\nsleep 2\nexec ${ground.service.stop}\n`, {
      mode: 0o755,
    })
    execFileSync(ground.service.start)
    const both = ['--stop-cmd', slow, '--start-cmd', ground.service.start]
    const { ended, watchdog } = await begun('armed', ...both, '--for', '60s')
    await expect.poll(() => existsSync(`${slow}.begun`), POLL).toBe(true)
    const { plan } = readJournal(ground.state)!
    process.kill(watchdog, 'SIGKILL')
    await ended
    expect(processesWith(drillMark(plan!))).toEqual([])
    expect(processState(servicePid())?.name).toBe('sleep')
  })

  test('waits for no command that does not come back, and ends without it', {
    timeout: 120_000,
  }, async () => {
    const started = path.join(ground.directory, 'started')
    const start = `sh -c 'echo $$ >> ${started}; exec sleep 1000'`
    const running = await begun('armed', '--stop-cmd', 'true', '--start-cmd', start, '--for', '60s')
    await expect.poll(() => existsSync(started), POLL).toBe(true)
    running.tool.kill('SIGINT')
    await running.ended
    expect(running.stderr()).toMatch(/left as it is: '.*' has not come back after 30 s, and goes on/)
    const [first, second] = readFileSync(started, 'utf8').trim().split('\n').map(Number)
    expect([processState(first!), processState(second!)?.name]).toEqual([undefined, 'sleep'])
    process.kill(second!, 'SIGKILL')
  })

  test.each([
    ['below it', () => path.join(ground.data, 'wal')],
    ['over it', () => ground.data],
    ['above it', () => ground.mountPoint],
  ])('leaves what others mount %s meanwhile', async (_, point) => {
    const { ended, stderr } = await begun('injected', ...commands(), '--for', '1s')
    execFileSync('mount', ['-t', 'tmpfs', 'theirs', point()])
    const isThere = () => mounts().some(({ source }) => source === 'theirs')
    const [exitCode] = await ended
    expect([exitCode, stderr()]).toEqual([4, expect.stringMatching(/was mounted upon the volume meanwhile/)])
    expect((await cli(['drill', 'undo', '--state', ground.state])).exitCode).toBe(4)
    expect([isThere(), processState(servicePid())?.name]).toEqual([true, 'sleep'])
    execFileSync('umount', [point()])
    const undo = await cli(['drill', 'undo', '--state', ground.state])
    expect(undo.exitCode, undo.stderr).toBe(0)
  })

  test('says who is still in it, where its room stays taken', async () => {
    const running = await begun('injected', ...commands(), '--for', '3s')
    const visitor = spawn('sleep', ['1000'], { cwd: ground.data })
    services.push(visitor)
    const [exitCode] = await running.ended
    expect(running.stderr()).toMatch(`left as it is: the volume (${'/dev/loop'}`)
    expect(running.stderr()).toMatch(`room stays taken as long as sleep (${visitor.pid}) is in it`)
    expect(exitCode).toBe(0)
  })

  test('is undone by two at once', async () => {
    const { tool, ended, watchdog } = await begun('injected', ...commands(), '--for', '60s')
    tool.kill('SIGKILL')
    process.kill(watchdog, 'SIGKILL')
    await ended
    const undo = () => cli(['drill', 'undo', '--state', ground.state])
    for (const { exitCode, stderr } of await Promise.all([undo(), undo()])) expect(exitCode, stderr).toBe(0)
  })

  test('holds many small files, or says how large it has to be', async () => {
    const many = path.join(ground.data, 'many')
    mkdirSync(many)
    const add = (from: number, to: number) => {
      for (let each = from; each < to; each += 1) writeFileSync(path.join(many, String(each)), '')
    }
    try {
      add(0, 1500)
      const holds = await drill('quota-volume', ...place(), '--size', '8MiB', ...commands(), '--for', '300ms')
      expect(holds.exitCode, holds.stderr).toBe(0)
      add(1500, 4000)
      const tooMany = await drill('quota-volume', ...place(), '--size', '8MiB', ...commands())
      expect(tooMany.stderr).toMatch(/a volume of 8 MiB does not hold/)
      expect(tooMany.exitCode).toBe(2)
    } finally {
      rmSync(many, { recursive: true })
    }
  })

  test('says as a whole what went wrong, however long that is', async () => {
    const file = path.join(ground.directory, 'long.yaml')
    const long = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(100_000)).join(' ')
    const text = `fault: quota-volume\npath: ${ground.data}\nsize: 8MiB\nstart: 'true'\nstop: false ${long}\n`
    writeFileSync(file, text)
    const { exitCode, stderr } = await cli(['drill', 'run', file, '--state', ground.state, '--yes'])
    expect(exitCode).toBe(3)
    expect(stderr).toMatch(/failed: 1$/m)
  })

  test.each([
    ['', 'true'],
    ['true', "''"],
  ])('is not begun with an empty command: %j, %j', async (stop, start) => {
    const both = ['--stop-cmd', stop, '--start-cmd', start]
    const { exitCode, stderr } = await drill('quota-volume', ...place(), '--size', '8MiB', ...both)
    expect(stderr).toMatch(/the command that (stops|starts) the service is empty/)
    expect(exitCode).toBe(2)
  })

  test('is undone where the service does not start on it', async () => {
    const start = ['--stop-cmd', 'true', '--start-cmd', `sh -c '! mountpoint -q ${ground.data}'`]
    const { exitCode, stderr } = await drill('quota-volume', ...place(), '--size', '8MiB', ...start)
    expect(stderr).toMatch(/mountpoint .* failed: 1/)
    expect(exitCode).toBe(3)
  })

  test('is undone where the service has ended by itself, and the stop command fails', async () => {
    const pid = path.join(ground.directory, 'pid')
    const died = path.join(ground.directory, 'died')
    const stopOnce = `sh -c 'test ! -e ${died} && kill -KILL $(cat ${pid})'`
    execFileSync(ground.service.start)
    const both = ['--stop-cmd', stopOnce, '--start-cmd', ground.service.start]
    const dies = `sh -c 'test ! -s ${ground.state}/audit.jsonl || { touch ${died}; kill -KILL $(cat ${pid}); }'`
    const kill = ['--every', '100ms', '--steady', '1', '--probe', dies]
    const options = ['--size', '8MiB', ...both, ...kill, '--for', '1s']
    const { exitCode, stderr } = await drill('quota-volume', ...place(), ...options)
    rmSync(died)
    expect(exitCode, stderr).not.toBe(4)
    expect(stderr).toMatch(/undone: .* is what it was, and the service was started/)
  })

  test('is not proved by what the drill itself asks', async () => {
    const both = ['--size', '8MiB', '--stop-cmd', 'true', '--start-cmd', 'true']
    const inside = ['--abort-if', `sh -c 'cd ${ground.data}; sleep 3; false'`]
    const { stdout } = await drill('quota-volume', ...place(), ...both, ...inside, '--for', '1s')
    expect(stdout).toMatch(/no evidence that the fault was there/)
  })
})
