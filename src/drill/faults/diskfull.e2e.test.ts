/** A full disk: filled, kept full, and given back. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { cli, has, NOBODY as NOBODY_PREFIX } from '../../testing/cli.js'
import { describeDrills, POLL, start } from '../../testing/drills.js'

const NOBODY = 65534

describeDrills('diskfull', ({ ground, expectAsBefore, argv, place, drill, audit }) => {
  test("tells the system's log of every step", async () => {
    const log = path.join(ground.directory, 'system-log')
    const logger = path.join(ground.directory, 'logger')
    writeFileSync(logger, `#!/bin/sh\necho "$*" >>${log}\n`, { mode: 0o755 })
    // in the place of logger(1), in a mount namespace of its own
    const inPlace = `mount --bind ${logger} "$(command -v logger)" && exec "$@"`
    const as = { prefix: ['unshare', '--mount', 'sh', '-c', inPlace, 'sh'] }
    const { exitCode, stderr } = await cli(argv('permissions', ...place(), '--for', '500ms'), { as })
    expect(exitCode, stderr).toBe(0)
    const lines = readFileSync(log, 'utf8').trim().split('\n')
    const line = /^--tag lightning-chaos --priority user.notice -- drill \S+ permissions (\S+): ./
    expect(lines.map((each) => line.exec(each)?.[1]).sort()).toEqual(
      audit()
        .map(({ event }) => event)
        .sort(),
    )
  })

  test('fills down to what is left, keeps it so, and gives all back when it is told to', async () => {
    const room = ground.free()
    // a neighbour whose file is given back while the fault is on; while ext4 writes one back it counts its room twice
    const neighbour = path.join(ground.mountPoint, 'neighbour')
    writeFileSync(neighbour, Buffer.alloc(4 << 20), { flush: true })
    const running = await start(argv('diskfull', ...place(), '--leave', '1MiB', '--for', '600s'))
    const available = () => {
      const { bavail, bsize } = statfsSync(ground.mountPoint)
      return bavail * bsize
    }
    expect(available()).toBeLessThanOrEqual(1 << 20)
    expect(available()).toBeGreaterThan((1 << 20) - 65_536)
    rmSync(neighbour)
    await expect.poll(available, POLL).toBeLessThanOrEqual(1 << 20)
    running.child.kill('SIGINT')
    expect((await running.end()).output).toMatch(/undone: the file without a name is closed, and gone/)
    expectAsBefore()
    await expect.poll(() => ground.free(), POLL).toEqual(room)
  })

  test('passes, and leaves its traces in the state directory alone', async () => {
    const { exitCode, stdout, stderr } = await drill('diskfull', ...place(), '--for', '300ms')
    expect(stdout).toMatch(/ENOSPC probe 1/)
    expect(stdout).toMatch(/PASS 100.0% \(1\/1\)/)
    expect(exitCode, stderr).toBe(0)
    expect(readdirSync(ground.state).sort()).toEqual(['audit.jsonl', 'undo.lock', 'undone.json'])
    expect(audit().map(({ event }) => event)).toEqual(['armed', 'injected', 'undone', 'verified'])
  })

  test('is inconclusive where the service may use what is reserved for root, unless that is filled, too', async () => {
    const asRoot = ['--user', '0', '--for', '500ms']
    const left = await drill('diskfull', ...place(), ...asRoot)
    expect(left.stdout).toMatch(/no evidence that the fault was there: writing \d+ bytes .* worked/)
    expect(left.exitCode).toBe(1)
    const filled = await drill('diskfull', ...place(), ...asRoot, '--reserved')
    expect(filled.stdout).toMatch(/ENOSPC probe 1/)
    expect(filled.exitCode).toBe(0)
  })

  const OTHERS = { tmpfs: undefined, xfs: 'mkfs.xfs', btrfs: 'mkfs.btrfs' }
  for (const [type, mkfs] of Object.entries(OTHERS)) {
    test.skipIf(mkfs !== undefined && !has(mkfs))(
      `on ${type}${mkfs === undefined ? '' : ` (needs ${mkfs})`}`,
      async () => {
        const mountPoint = path.join(ground.directory, type)
        const image = `${mountPoint}.image`
        mkdirSync(mountPoint)
        if (mkfs === undefined) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', mountPoint])
        else {
          writeFileSync(image, '')
          truncateSync(image, 320 << 20)
          execFileSync(mkfs, ['-q', '-f', image], { stdio: 'ignore' })
          execFileSync('mount', ['-o', 'loop', image, mountPoint])
        }
        try {
          const free = () => statfsSync(mountPoint).bfree
          const room = free()
          const argv = [
            'drill',
            'diskfull',
            '--path',
            mountPoint,
            '--user',
            '0',
            '--state',
            ground.state,
            '--yes',
          ]
          const { exitCode, stdout, stderr } = await cli([...argv, '--leave', '256KiB', '--for', '300ms'])
          expect(exitCode, stdout + stderr).toBe(0)
          expect(stdout).toMatch(/ENOSPC probe 1/)
          await expect.poll(free, POLL).toBe(room)
          expect(readdirSync(mountPoint)).toEqual([])
        } finally {
          execFileSync('umount', [mountPoint])
        }
      },
    )
  }

  test('as an ordinary user', async () => {
    const state = path.join(ground.directory, 'own')
    mkdirSync(state, { mode: 0o700 })
    chownSync(state, NOBODY, NOBODY)
    const as = { prefix: NOBODY_PREFIX }
    const argv = ['drill', 'diskfull', '--path', ground.data, '--yes', '--for', '500ms', '--state', state]
    const { exitCode, stdout, stderr } = await cli(argv, { as })
    expect(exitCode, stdout + stderr).toBe(0)
    expectAsBefore()
    // what such a user could not undo is not begun
    const box = path.join(ground.data, 'box')
    mkdirSync(box)
    chownSync(box, NOBODY, 0)
    chmodSync(box, 0o2770)
    const closed = path.join(ground.data, 'closed')
    mkdirSync(path.join(closed, 'below'), { recursive: true })
    chownSync(closed, NOBODY, NOBODY)
    chmodSync(path.join(closed, 'below'), 0o700)
    for (const [fault, why, ...options] of [
      ['permissions', /'below' in it may not be read\n.*call it as root/, '--path', closed],
      ['permissions', /box has the set-group-ID bit of group 0/],
      ['immutable', /needs CAP_LINUX_IMMUTABLE/],
      ['stall', /needs CAP_SYS_ADMIN/],
      ['readonly', /needs CAP_SYS_ADMIN/],
      ['diskfull', /only root can fill/, '--reserved'],
    ] as const) {
      const refused = await cli(
        ['drill', fault, '--path', ground.data, '--yes', '--state', state, ...options],
        { as },
      )
      expect([refused.exitCode, refused.stderr]).toEqual([3, expect.stringMatching(why)])
      expect(readdirSync(state)).not.toContain('active')
    }
    for (const directory of [box, closed]) rmSync(directory, { recursive: true })
  })
})
