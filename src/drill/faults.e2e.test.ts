/** Each fault by itself: that it is there, that it is seen, and that it goes without harm to what others do meanwhile. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { OPEN_FILES, softLimit } from '../sandbox/process-limits.js'
import { BIN, cli, NOBODY } from '../testing/cli.js'
import { makeSlowGroup, putIntoDiskGroup } from '../testing/disk-group.js'
import { type Ground, NO_GROUND, prepareGround } from '../testing/drill-ground.js'
import { hasCapability } from './host/capabilities.js'
import { diskOf } from './host/cgroups.js'
import { mountOf, mounts } from './host/mounts.js'
import { processesWith, processState } from './host/processes.js'
import { readJournal } from './journal.js'
import { drillMark } from './plan.js'

const BLKIO = '/sys/fs/cgroup/blkio'
const POLL = { timeout: 30_000, interval: 20 }
/** Once it runs: where Python lies, nobody else may be able to read. */
type Service = ChildProcess & { pid: number; nextLine(): Promise<string> }

const AS_NOBODY = 'import os, resource, sys, time; os.setgroups([]); os.setgid(65534); os.setuid(65534)'

describe.skipIf(NO_GROUND !== undefined)(`faults (${NO_GROUND ?? 'root'})`, () => {
  let ground: Ground
  let before: ReturnType<Ground['snapshot']>
  const services: ChildProcess[] = []
  beforeAll(() => {
    ground = prepareGround()
    before = ground.snapshot()
  })
  afterAll(() => ground.remove())
  afterEach(() => {
    for (const service of services.splice(0)) service.kill('SIGKILL')
    expect(readJournal(ground.state)).toBeUndefined()
    expect(ground.snapshot()).toEqual(before)
  })

  const drill = (fault: string, ...options: string[]) =>
    cli(['drill', fault, '--state', ground.state, '--yes', ...options])
  const place = () => ['--path', ground.data]

  /** Starts a service, and waits until it says that it is there. */
  async function serve(script: string): Promise<Service> {
    const child = spawn('python3', ['-uc', `${AS_NOBODY}\n${script}`], {
      cwd: '/',
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    services.push(child)
    // python writes a line and its end in two calls: one may be read without the other
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const nextLine = async () => {
      const { value, done } = await lines.next()
      if (done) throw new Error('it ended')
      return value as string
    }
    await nextLine()
    return Object.assign(child as typeof child & { pid: number }, { nextLine })
  }
  const idle = () => serve('print("there"); time.sleep(1000)')

  describe('inodes', () => {
    test('are used up, also those that others give back, and come back', async () => {
      const free = ground.free()
      const { exitCode, stdout, stderr } = await drill('inodes', ...place(), '--for', '1s', '--leave', '0')
      expect(exitCode, stdout + stderr).toBe(0)
      expect(stdout).toMatch(/ENOSPC probe 1/)
      expect(stderr).toMatch(/empty files made, 0 inodes free/)
      expect(ground.free()).toEqual(free)
    })

    test('are left as many as is said, which the witness takes first', async () => {
      const { exitCode, stdout, stderr } = await drill('inodes', ...place(), '--for', '1s', '--leave', '7')
      expect(exitCode, stdout + stderr).toBe(0)
      expect(stderr).toMatch(/empty files made, 7 inodes free/)
      expect(stdout).toMatch(/ENOSPC probe 1/)
      const many = await drill('inodes', ...place(), '--leave', '1000')
      expect([many.exitCode, many.stderr]).toEqual([2, expect.stringMatching(/leaves 512 at most/)])
    })

    test('come back though the directory has another name, and are waited for where it is elsewhere', async () => {
      const free = ground.free()
      const isOn = () => readdirSync(ground.data).find((name) => name.startsWith('.lightning-chaos'))
      for (const away of [path.join(ground.data, 'mine'), path.join(ground.mountPoint, 'mine')]) {
        const running = drill('inodes', ...place(), '--for', '3s')
        await expect.poll(() => isOn() !== undefined && ground.free().inodes, POLL).toBe(0)
        const name = isOn()!
        renameSync(path.join(ground.data, name), away)
        const { exitCode, stdout, stderr } = await running
        if (away.startsWith(ground.data)) {
          expect(exitCode, stdout + stderr).toBe(0)
        } else {
          expect(stderr).toMatch(/is not there any more, and its inodes were not given back/)
          expect(exitCode, stdout).toBe(4)
          renameSync(away, path.join(ground.data, name))
          expect((await cli(['drill', 'undo', '--state', ground.state])).exitCode).toBe(0)
        }
        expect(existsSync(away)).toBe(false)
        expect(ground.free()).toEqual(free)
      }
    })

    test('what others put among the files is left, and said', async () => {
      const into = `import os, glob, time
print("there")
while not glob.glob("${ground.data}/.lightning-chaos-*/3"): time.sleep(0.01)
directory = glob.glob("${ground.data}/.lightning-chaos-*")[0]
open(directory + "/theirs", "w").write("x")
open(directory + "/1", "w").write("x")
`
      const other = spawn('python3', ['-uc', into], { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(other.stdout, 'data')
      const { stderr } = await drill('inodes', ...place(), '--for', '3s')
      const [directory] = readdirSync(ground.data).filter((name) => name.startsWith('.lightning-chaos'))
      expect(readdirSync(path.join(ground.data, directory!)).sort()).toEqual(['1', 'theirs'])
      expect(stderr).toMatch(/left as it is: .*theirs: is not ours/)
      expect(stderr).toMatch(/left as it is: .*\/1: is not ours/)
      rmSync(path.join(ground.data, directory!), { recursive: true })
    })
  })

  describe('readonly', () => {
    test('refuses new writers, lets old ones go on, and unmounts even where it is in use', async () => {
      // in the drill, it goes to the directory that is mounted, and stays there
      const service = await serve(`old = open("${ground.data}/main.db", "r+b")
errors = []
print("there")
while True:
    sys.stdin.readline()
    if "30" not in errors: os.chdir("${ground.data}")
    errors = []
    for act in (lambda: os.write(old.fileno(), b"c"), lambda: os.close(os.open("wal/000001.log", os.O_WRONLY))):
        try: act(); errors.append("ok")
        except OSError as error: errors.append(str(error.errno))
    old.seek(0)
    print(" ".join(errors))
`)
      const said = async () => {
        service.stdin!.write('\n')
        return service.nextLine()
      }
      const running = drill('readonly', ...place(), '--for', '5s')
      await expect.poll(said, POLL).toBe('ok 30')
      const { exitCode, stdout, stderr } = await running
      expect(exitCode, stdout + stderr).toBe(0)
      expect(stdout).toMatch(/EROFS probe \d/)
      expect(await said()).toBe('ok ok')
    })

    test('of what is a mount itself leaves that mounted', async () => {
      const { exitCode, stdout, stderr } = await drill(
        'readonly',
        '--path',
        ground.mountPoint,
        '--user',
        '0',
        '--for',
        '300ms',
      )
      expect(exitCode, stdout + stderr).toBe(0)
      expect(stdout).toMatch(/EROFS probe \d/)
    })

    test('keeps what else holds for the mount', async () => {
      const remount = (flags: string) => execFileSync('mount', ['-o', `remount,${flags}`, ground.mountPoint])
      const options = () => mounts().findLast(({ point }) => point === ground.data)?.options
      remount('nosuid,nodev,noexec')
      try {
        const running = drill('readonly', ...place(), '--for', '2s')
        await expect.poll(options, POLL).toContain('ro')
        expect(options()).toEqual(expect.arrayContaining(['nosuid', 'nodev', 'noexec', 'relatime']))
        expect((await running).exitCode).toBe(0)
      } finally {
        remount('suid,dev,exec')
      }
    })

    test.each([
      ['below it', () => ['-t', 'tmpfs', 'theirs', path.join(ground.data, 'wal')]],
      ['over it', () => ['--bind', ground.data, ground.data]],
    ])('leaves what others mount %s meanwhile', async (where, argv) => {
      const isOn = () =>
        mounts().some(({ point: at, options }) => at === ground.data && options.includes('ro'))
      const running = drill('readonly', ...place(), '--for', '2s')
      await expect.poll(isOn, POLL).toBe(true)
      execFileSync('mount', argv())
      const { exitCode, stderr } = await running
      expect(exitCode).toBe(4)
      expect(stderr).toMatch(
        where === 'below it' ? /wal was mounted below it meanwhile/ : /is mounted over .* by now/,
      )
      const again = await cli(['drill', 'undo', '--state', ground.state])
      expect(again.exitCode).toBe(4)
      if (where === 'below it') writeFileSync(path.join(ground.data, 'new'), '')
      execFileSync('umount', argv().slice(-1))
      expect((await cli(['drill', 'undo', '--state', ground.state])).exitCode).toBe(0)
      rmSync(path.join(ground.data, 'new'), { force: true })
    })

    test('names a container that was started meanwhile, which has it read-only until it is started again', async () => {
      const isOn = () =>
        mounts().some(({ point: at, options }) => at === ground.data && options.includes('ro'))
      const running = drill('readonly', ...place(), '--for', '2s')
      await expect.poll(isOn, POLL).toBe(true)
      const script = ['--mount', '--propagation', 'private', 'sh', '-c', 'echo there; exec sleep 1000']
      const child = spawn('unshare', script, { stdio: ['ignore', 'pipe', 'inherit'] })
      services.push(child)
      await once(child.stdout, 'data')
      const { exitCode, stdout, stderr } = await running
      expect(exitCode, stdout + stderr).toBe(0)
      expect(stdout + stderr).toMatch(/was started meanwhile in a container, and has .*data read-only/)
    })

    test('is refused for a service that would not see it', async () => {
      const script = ['unshare', '--mount', 'sh', '-c', 'echo there; exec sleep 1000']
      const child = spawn(script[0]!, script.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
      services.push(child)
      await once(child.stdout, 'data')
      const { exitCode, stderr } = await drill('readonly', ...place(), '--pid', String(child.pid))
      expect(stderr).toMatch(/has a mount namespace of its own/)
      expect(exitCode).toBe(3)
    })
  })

  test('immutable: nobody changes anything, whatever its name, and what was so before stays so', async () => {
    const flags = () =>
      Object.entries(ground.snapshot())
        .filter(([name]) => name.startsWith(ground.data))
        .flatMap(([, facts]) => /(?<= )0x[0-9a-f]+(?= |$)/.exec(facts) ?? [])
    const locked = () => flags().filter((each) => (Number(each) & 0x10) !== 0).length
    const all = flags().length
    const running = drill('immutable', ...place(), '--for', '3s')
    await expect.poll(locked, POLL).toBe(all)
    expect(() => writeFileSync(path.join(ground.data, 'main.db'), 'by root')).toThrow(/EPERM/)
    // somebody needs one of them meanwhile, and changes its mode
    execFileSync('chattr', ['-i', path.join(ground.data, 'main.db')])
    const log = path.join(ground.data, 'wal/000001.log')
    execFileSync('chattr', ['-i', path.dirname(log), log])
    renameSync(log, `${log}.old`)
    linkSync(`${log}.old`, `${log}.second`)
    execFileSync('chattr', ['+i', `${log}.old`])
    const { exitCode, stdout, stderr } = await running
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/EPERM probe \d/)
    expect(stderr).toMatch(/left as it is: .*000001.log: has the name .*000001.log.(old|second) by now/)
    expect(locked()).toBe(1)
    rmSync(`${log}.second`)
    renameSync(`${log}.old`, log)
  })

  test.each(['before it', 'while it is on'])(
    'immutable: waits for who has a lease on a file, from %s',
    async (when) => {
      const file = path.join(ground.data, 'wal/000001.log')
      // as samba does: gives it up when it is asked to, and that takes a moment
      const lease = async () => {
        const script = `import fcntl, os, signal, time
fd = os.open("${file}", os.O_RDONLY)
asked = []
signal.signal(signal.SIGIO, lambda *_: asked.append(1))
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("there")
while not asked: time.sleep(0.05)
time.sleep(0.5)
`
        const holder = spawn('python3', ['-uc', script], { stdio: ['ignore', 'pipe', 'inherit'] })
        services.push(holder)
        await once(holder.stdout, 'data')
      }
      const isLocked = () => {
        const [flags] = /(?<= )0x[0-9a-f]+(?= |$)/.exec(ground.snapshot()[file]!)!
        return (Number(flags) & 0x10) !== 0
      }
      if (when === 'before it') await lease()
      const running = drill('immutable', ...place(), '--for', '3s')
      const log = path.join(ground.state, 'audit.jsonl')
      const isOn = () => readFileSync(log, 'utf8').trim().split('\n').at(-1)
      await expect.poll(isOn, POLL).toMatch(`"injected"`)
      expect(isLocked()).toBe(true)
      if (when !== 'before it') await lease()
      const { exitCode, stdout, stderr } = await running
      expect(exitCode, stdout + stderr).toBe(0)
      expect(isLocked()).toBe(false)
    },
  )

  test.each([
    ['readonly', [], 4],
    ['quota-volume', ['--size', '8MiB', '--stop-cmd', 'true', '--start-cmd', 'true'], 1],
  ] as const)('%s comes back where a directory above it has another name', async (fault, options, code) => {
    const wal = path.join(ground.data, 'wal')
    const running = drill(fault, '--path', wal, '--for', '4s', ...options)
    const covers = () => mounts().filter(({ point }) => point.startsWith(`${ground.mountPoint}/`))
    const log = path.join(ground.state, 'audit.jsonl')
    const isOn = () => readFileSync(log, 'utf8').trim().split('\n').at(-1)
    await expect.poll(isOn, POLL).toMatch(`"injected"`)
    expect(covers()).toHaveLength(1)
    const away = `${ground.data}.away`
    renameSync(ground.data, away)
    const { exitCode, stdout, stderr } = await running
    renameSync(away, ground.data)
    // the first waits for the name in its journal, the second is undone, which the witness cannot see
    expect(exitCode, stdout + stderr).toBe(code)
    expect(stdout + stderr).toMatch(/not the directory any more|not be verified that all is undone/)
    const undo = await cli(['drill', 'undo', '--state', ground.state])
    expect(undo.exitCode, undo.stderr).toBe(0)
    expect(covers()).toEqual([])
  })

  describe('slow', () => {
    const slow = (...options: string[]) => drill('slow', ...place(), ...options)

    test('holds a service and its children up, and lets them go where they were', async () => {
      const service = await serve(`print("there")
sys.stdin.readline()
child = os.fork()
if child: print(child)
time.sleep(1000)
`)
      const disks = putIntoDiskGroup(service.pid)
      const state = (pid: number) => readFileSync(`/proc/${pid}/cgroup`, 'latin1') + disks.limits()
      const before = state(service.pid)
      const running = slow('--pid', String(service.pid), '--bytes-per-second', '32KiB', '--for', '3s')
      const isSlow = disks.version === 1 ? /lightning-chaos-/ : /wbps=32768/
      await expect.poll(() => state(service.pid), POLL).toMatch(isSlow)
      service.stdin!.write('\n')
      const child = Number(await service.nextLine())
      expect(state(child)).toMatch(isSlow)
      const { exitCode, stdout, stderr } = await running
      expect(exitCode, stdout + stderr).toBe(0)
      expect(stdout).toMatch(/BLOCKED probe 1/)
      expect([state(service.pid), state(child)]).toEqual([before, before])
      for (const pid of [child, service.pid]) process.kill(pid, 'SIGKILL')
      await disks.remove()
    })

    test.skipIf(!existsSync(BLKIO))('does not lift the limits that a service has', async () => {
      const service = await serve('print("there"); time.sleep(1000)')
      const group = path.join(BLKIO, `lightning-test-${service.pid}`)
      mkdirSync(group)
      try {
        const limit = `${diskOf(mountOf(ground.data)!.device)} 1048576`
        writeFileSync(path.join(group, 'blkio.throttle.write_bps_device'), limit)
        writeFileSync(path.join(group, 'cgroup.procs'), String(service.pid))
        const { exitCode, stderr } = await slow('--pid', String(service.pid), '--bytes-per-second', '10MiB')
        expect([exitCode, stderr]).toEqual([
          3,
          expect.stringMatching(/is limited already, .*write_bps_device/),
        ])
      } finally {
        writeFileSync(path.join(BLKIO, 'cgroup.procs'), String(service.pid))
        rmdirSync(group)
      }
    })

    test('shows nothing on a disk that is as slow by itself', async () => {
      const { pid } = await idle()
      const { device } = mounts().find(({ point }) => point === ground.mountPoint)!
      const group = makeSlowGroup(device, 32_768)
      const join = `echo $$ > ${group.directory}/cgroup.procs && exec "$@"`
      const argv = ['drill', 'slow', ...place(), '--state', ground.state, '--yes', '--pid', String(pid)]
      const { exitCode, stderr } = await cli([...argv, '--bytes-per-second', '32KiB', '--for', '5s'], {
        as: { prefix: ['sh', '-c', join, 'sh'] },
      })
      await group.remove()
      expect(stderr).toMatch(
        /could not write there before the drill: writing, for 2000 ms failed with BLOCKED/,
      )
      expect(exitCode).toBe(3)
    })

    test('is about a service, and a disk that can be throttled', async () => {
      expect((await slow()).stderr).toMatch(/slow needs a process/)
      const service = await idle()
      for (const [pid, why] of [
        ['1', /part of the system/],
        ['2', /part of the system/],
        [String(process.pid), /what this drill runs in/],
      ] as const) {
        expect((await slow('--pid', pid)).stderr).toMatch(why)
      }
      const nothing = await slow('--pid', String(service.pid), '--bytes-per-second', '0')
      expect([nothing.exitCode, nothing.stderr]).toEqual([2, expect.stringMatching(/more than nothing/)])
      const memory = path.join(ground.directory, 'memory')
      mkdirSync(memory)
      execFileSync('mount', ['-t', 'tmpfs', 'memory', memory])
      try {
        const { exitCode, stderr } = await drill('slow', '--path', memory, '--pid', String(service.pid))
        expect(stderr).toMatch(/memory is on tmpfs, which is on no block device/)
        expect(exitCode).toBe(3)
      } finally {
        execFileSync('umount', [memory])
      }
    })
  })

  describe('quota-volume', () => {
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
          .map(([name, facts]) => [
            name,
            facts.replace(/^((?:\S+ ){4})\d+/, '$1').replace(/ 0x[0-9a-f]+/, ''),
          ])
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
      const argv = [
        'quota-volume',
        ...place(),
        '--size',
        '8MiB',
        '--state',
        ground.state,
        '--yes',
        ...options,
      ]
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
          (name) =>
            lstatSync(path.join(race, name)).isDirectory() && existsSync(path.join(race, name, 'key')),
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
      const script = ['--mount', '--propagation', 'private', 'sh', '-c', 'echo there; exec sleep 1000']
      const elsewhere = spawn('unshare', script, { stdio: ['ignore', 'pipe', 'inherit'] })
      services.push(elsewhere)
      await once(elsewhere.stdout, 'data')
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
      const { exitCode } = await drill(
        'quota-volume',
        ...place(),
        '--size',
        '8MiB',
        ...both,
        '--for',
        '300ms',
      )
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
    ])('leaves what others mount %s meanwhile', async (_, point) => {
      const { ended, stderr } = await begun('injected', ...commands(), '--for', '1s')
      execFileSync('mount', ['-t', 'tmpfs', 'theirs', point()])
      const isThere = () => mounts().some(({ source }) => source === 'theirs')
      const [exitCode] = await ended
      expect([exitCode, stderr()]).toEqual([
        4,
        expect.stringMatching(/was mounted upon the volume meanwhile/),
      ])
      expect((await cli(['drill', 'undo', '--state', ground.state])).exitCode).toBe(4)
      expect(isThere()).toBe(true)
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
        const holds = await drill(
          'quota-volume',
          ...place(),
          '--size',
          '8MiB',
          ...commands(),
          '--for',
          '300ms',
        )
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
  })

  test('stall: what somebody else froze stays so', async () => {
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

  test('stall: writers wait, and go on', async () => {
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

  test('stall: never of what the tool itself needs', async () => {
    const needed = path.join(ground.directory, 'data')
    mkdirSync(needed)
    const { exitCode, stderr } = await drill('stall', '--path', needed, '--allow-root-filesystem')
    expect(stderr).toMatch(/may not stand still/)
    expect(exitCode).toBe(3)
  })

  test('stall: nor of what holds the image of the file system with its journal', async () => {
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

  describe('pause', () => {
    test('of a process that waits for a disk ends, also where the stop has yet to arrive', async () => {
      const { pid, stdin } = await serve(`print("there"); sys.stdin.readline()
file = os.open("${ground.data}/wal/000001.log", os.O_WRONLY)
os.write(file, b"c")
time.sleep(1000)
`)
      execFileSync('fsfreeze', ['--freeze', ground.mountPoint])
      try {
        stdin!.write('\n')
        await expect.poll(() => processState(pid)?.state, POLL).toBe('D')
        const { exitCode, stdout } = await drill('pause', '--pid', String(pid), '--for', '300ms')
        expect(exitCode, stdout).toBe(1)
        expect(stdout).toMatch(/no evidence|nothing showed it/)
      } finally {
        execFileSync('fsfreeze', ['--unfreeze', ground.mountPoint])
      }
      await expect.poll(() => processState(pid)?.state, POLL).toBe('S')
      expect(readFileSync(`/proc/${pid}/status`, 'latin1')).toMatch(/^SigPnd:\s+0+$/m)
    })

    test('stops, is seen, and lets go on', async () => {
      const { pid } = await idle()
      const { exitCode, stdout, stderr } = await drill('pause', '--pid', String(pid), '--for', '500ms')
      expect(exitCode, stdout + stderr).toBe(0)
      expect(stdout).toMatch(/SIGSTOP probe 1/)
      expect(processState(pid)?.state).toBe('S')
    })

    test('what was stopped before stays so, and proves nothing', async () => {
      const { pid } = await idle()
      process.kill(pid, 'SIGSTOP')
      await expect.poll(() => processState(pid)?.state, POLL).toBe('T')
      const { exitCode } = await drill('pause', '--pid', String(pid), '--for', '300ms')
      expect(exitCode).toBe(1)
      expect(processState(pid)?.state).toBe('T')
    })

    test.each([
      ['the first process', () => 1, /part of the system/],
      ['a thread of the kernel', () => 2, /part of the system/],
      ['what the drill runs in', () => process.pid, /what this drill runs in/],
    ])('%s is refused', async (_, pid, why) => {
      const { exitCode, stderr } = await drill('pause', '--pid', String(pid()))
      expect(stderr).toMatch(why)
      expect(exitCode).toBe(3)
    })

    test("another user's process is refused, and nothing is begun", async () => {
      const child = spawn('sleep', ['1000'])
      services.push(child)
      const state = path.join(ground.directory, 'own')
      mkdirSync(state)
      chownSync(state, 65534, 65534)
      for (const fault of ['pause', 'kill', 'fd-limit']) {
        const argv = [
          'drill',
          fault,
          '--pid',
          String(child.pid),
          '--user',
          '65534',
          '--state',
          state,
          '--yes',
        ]
        const { exitCode, stderr } = await cli(argv, { as: { prefix: NOBODY } })
        expect(stderr).toMatch(/is another user's/)
        expect(exitCode).toBe(3)
        expect(readdirSync(state)).toEqual([])
      }
    })

    test('a process has to be named, and to be there', async () => {
      expect((await drill('pause')).stderr).toMatch(/pause needs a process/)
      expect((await drill('pause', '--pid', '999999999')).stderr).toMatch(/there is no process 999999999/)
    })
  })

  describe('kill', () => {
    /** Starts it again, and tells each pid. */
    const supervised = (times: number) => `import subprocess
for _ in range(${times}):
    child = subprocess.Popen(["sleep", "1000"])
    print(child.pid)
    child.wait()
`
    const started = async (times: number) => {
      const child = spawn('python3', ['-uc', supervised(times)], { stdio: ['ignore', 'pipe', 'inherit'] })
      services.push(child)
      let pids = ''
      child.stdout.on('data', (chunk) => (pids += chunk))
      await expect.poll(() => pids, POLL).toMatch(/\n/)
      const last = () => Number(pids.trim().split('\n').at(-1))
      const file = path.join(ground.directory, 'check')
      writeFileSync(file, `#!/bin/sh\ntest -n "$(cat /proc/${child.pid}/task/${child.pid}/children)"\n`, {
        mode: 0o755,
      })
      return { pid: last(), last, probe: file }
    }

    test('is passed where the service comes back', async () => {
      const { pid, last, probe } = await started(2)
      const { exitCode, stdout, stderr } = await drill(
        'kill',
        '--pid',
        String(pid),
        '--for',
        '500ms',
        '--probe',
        probe,
        '--every',
        '100ms',
      )
      expect(exitCode, stdout + stderr).toBe(0)
      expect(stdout).toMatch(/SIGKILL probe 1/)
      expect(last()).not.toBe(pid)
      process.kill(last(), 'SIGKILL')
    })

    test('is not, where it does not', async () => {
      const { pid, probe } = await started(1)
      const recover = ['--recover', '500ms', '--every', '100ms']
      const { exitCode, stdout } = await drill(
        'kill',
        '--pid',
        String(pid),
        '--for',
        '300ms',
        '--probe',
        probe,
        ...recover,
      )
      expect(stdout).toMatch(/no-recovery \(grace\): 0.5 s after the fault was undone/)
      expect(exitCode).toBe(1)
    })
  })

  test("fd-limit: the service's own calls fail, and the kernel's trace shows it", async () => {
    const { pid } = await serve(`print("there")
while True:
    try: open("/dev/null").close()
    except OSError: pass
    time.sleep(0.05)
`)
    const limits = readFileSync(`/proc/${pid}/limits`, 'latin1')
    const { exitCode, stdout, stderr } = await drill('fd-limit', '--pid', String(pid), '--for', '1s')
    expect(exitCode, stdout + stderr).toBe(0)
    const isTraced = existsSync('/sys/kernel/tracing/instances')
    expect(stdout).toMatch(isTraced ? /EMFILE direct [1-9]\d* probe 1/ : /EMFILE probe 1/)
    expect(readFileSync(`/proc/${pid}/limits`, 'latin1')).toBe(limits)
  })

  test('fd-limit: is raised again where the process made the low one its hard limit, too', async () => {
    const service = await serve(`resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
print("there")
sys.stdin.readline()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, soft))
print(soft)
time.sleep(1000)
`)
    const soft = () => softLimit(service.pid, OPEN_FILES)
    expect(soft()).toBe('100')
    const running = drill('fd-limit', '--pid', String(service.pid), '--for', '3s')
    await expect.poll(soft, POLL).not.toBe('100')
    service.stdin!.write('\n')
    await service.nextLine()
    const { exitCode, stdout, stderr } = await running
    if (hasCapability('sys_resource')) {
      expect(exitCode, stdout + stderr).toBe(0)
      expect(soft()).toBe('100')
      return
    }
    // some roots may not raise a hard limit; then it is not called undone as long as the process is there
    expect(exitCode, stdout + stderr).toBe(4)
    expect(stderr).toMatch(/the limit of \d+ cannot be raised/)
    service.kill('SIGKILL')
    await once(service, 'exit')
    const { exitCode: later, stdout: said } = await cli(['drill', 'undo', '--state', ground.state])
    expect([later, said]).toEqual([0, expect.stringMatching(/has ended/)])
  })

  test('fd-limit: a child that had that very limit before keeps it', async () => {
    const service = await serve(`print("there")
unused = os.open("/dev/null", os.O_RDONLY)
os.close(unused)
resource.setrlimit(resource.RLIMIT_NOFILE, (unused, 500))
child = os.fork()
if child:
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500))
    print(child)
time.sleep(1000)
`)
    const child = Number(await service.nextLine())
    const before = softLimit(child, OPEN_FILES)
    const running = drill('fd-limit', '--pid', String(service.pid), '--for', '2s')
    await expect.poll(() => softLimit(service.pid, OPEN_FILES), POLL).toBe(before)
    const { exitCode, stdout, stderr } = await running
    expect(exitCode, stdout + stderr).toBe(0)
    expect(softLimit(child, OPEN_FILES)).toBe(before)
    expect(softLimit(service.pid, OPEN_FILES)).not.toBe(before)
    process.kill(child)
  })

  test('fd-limit: one that has more open than its limit is refused, and not given more', async () => {
    const { pid } = await serve(`taken = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]
resource.setrlimit(resource.RLIMIT_NOFILE, (10, 500))
print("there"); time.sleep(1000)
`)
    const { exitCode, stderr } = await drill('fd-limit', '--pid', String(pid))
    expect([exitCode, stderr]).toEqual([3, expect.stringMatching(/can open nothing more already/)])
  })

  test('fd-limit: what is started meanwhile gets its limit back, too', async () => {
    const service = await serve(`print("there")
sys.stdin.readline()
child = os.fork()
if child: print(child)
time.sleep(1000)
`)
    const limits = (pid: number) => readFileSync(`/proc/${pid}/limits`, 'latin1')
    const before = limits(service.pid)
    const running = drill('fd-limit', '--pid', String(service.pid), '--for', '3s')
    await expect.poll(() => limits(service.pid), POLL).not.toBe(before)
    service.stdin!.write('\n')
    const child = Number(await service.nextLine())
    expect(limits(child)).not.toBe(before)
    const { exitCode, stdout, stderr } = await running
    expect(exitCode, stdout + stderr).toBe(0)
    expect(limits(child)).toBe(before)
    process.kill(child)
  })
})
