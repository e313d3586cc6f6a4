/** A service that may read and write a disk only slowly, and then as before. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { cli } from '../../testing/cli.js'
import { makeSlowGroup, putIntoDiskGroup } from '../../testing/disk-group.js'
import { describeDrills, POLL } from '../../testing/drills.js'
import { diskOf } from '../host/cgroups.js'
import { mountOf, mounts } from '../host/mounts.js'

const BLKIO = '/sys/fs/cgroup/blkio'

describeDrills('slow', ({ ground, drill, place, serve }) => {
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
      expect([exitCode, stderr]).toEqual([3, expect.stringMatching(/is limited already, .*write_bps_device/)])
    } finally {
      writeFileSync(path.join(BLKIO, 'cgroup.procs'), String(service.pid))
      rmdirSync(group)
    }
  })

  test('shows nothing on a disk that is as slow by itself', async () => {
    const { pid } = await serve('print("there"); time.sleep(1000)')
    const { device } = mounts().find(({ point }) => point === ground.mountPoint)!
    const group = makeSlowGroup(device, 32_768)
    const join = `echo $$ > ${group.directory}/cgroup.procs && exec "$@"`
    const argv = ['drill', 'slow', ...place(), '--state', ground.state, '--yes', '--pid', String(pid)]
    const { exitCode, stderr } = await cli([...argv, '--bytes-per-second', '32KiB', '--for', '5s'], {
      as: { prefix: ['sh', '-c', join, 'sh'] },
    })
    await group.remove()
    expect(stderr).toMatch(/could not write there before the drill: writing, for 2000 ms failed with BLOCKED/)
    expect(exitCode).toBe(3)
  })

  test('is about a service, and a disk that can be throttled', async () => {
    expect((await slow()).stderr).toMatch(/slow needs a process/)
    const service = await serve('print("there"); time.sleep(1000)')
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

  test.skipIf(!existsSync(BLKIO))('says where somebody made groups below its own', async () => {
    const { pid } = await serve('print("there"); time.sleep(1000)')
    const before = readFileSync(`/proc/${pid}/cgroup`, 'latin1')
    const running = slow('--pid', String(pid), '--bytes-per-second', '32KiB', '--for', '1s')
    const own = () => /blkio:(.*lightning-chaos-.*)/.exec(readFileSync(`/proc/${pid}/cgroup`, 'latin1'))?.[1]
    await expect.poll(own, POLL).toBeDefined()
    const group = path.join(BLKIO, own()!, 'theirs')
    mkdirSync(group)
    const { exitCode, stderr } = await running
    expect([exitCode, stderr]).toEqual([4, expect.stringMatching(/made control groups in .*: theirs; move /)])
    rmdirSync(group)
    const undo = await cli(['drill', 'undo', '--state', ground.state])
    expect(undo.exitCode, undo.stderr).toBe(0)
    expect(readFileSync(`/proc/${pid}/cgroup`, 'latin1')).toBe(before)
  })
})
