/** What a drill is refused for, before anything is touched. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { cli, has } from '../testing/cli.js'
import { prepareGround } from '../testing/drill-ground.js'
import { describeDrills, start } from '../testing/drills.js'
import { readJournal } from './journal.js'

describeDrills('refused', ({ ground, expectAsBefore, argv, place, drill, undo, serve }) => {
  const refused = async (argv: readonly string[], code: number, why: RegExp, env = {}) => {
    const { exitCode, stderr, stdout } = await cli(argv, { env })
    expect(stderr).toMatch(why)
    expect(exitCode, stdout).toBe(code)
    expectAsBefore()
  }

  test('when it is only asked for', async () => {
    const { exitCode, stdout } = await drill('diskfull', ...place(), '--leave', '1MiB', '--dry-run')
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/takes [\d.]+ MiB of .*volume \(ext4\), [\d.]+ MiB free now, and leaves 1 MiB/)
    expect(stdout).toMatch(/reserved for root/)
    expect(stdout).toMatch(/nothing was done/)
    expect(existsSync(ground.state)).toBe(false)
  })

  test('without a yes', async () => {
    await refused(
      argv('diskfull', ...place()).filter((word) => word !== '--yes'),
      2,
      /asks before it begins, and there is no terminal/,
    )
  })

  test('in production', async () => {
    await refused(argv('diskfull', ...place()), 3, /marked as one in production/, {
      LIGHTNING_CHAOS_PRODUCTION: '1',
    })
  })

  test('when the probe fails before it', async () => {
    await refused(
      argv('diskfull', ...place(), '--probe', 'false'),
      3,
      /'false' fails before the drill: exit 1/,
    )
  })

  test('when the service could not write there anyway', async () => {
    await refused(
      argv('diskfull', ...place(), '--user', '4711'),
      3,
      /the service could not write there before the drill/,
    )
  })

  test('when its limits are passed before', async () => {
    const { exitCode, stderr } = await drill('diskfull', ...place(), '--abort-if', 'true')
    expect([exitCode, stderr]).toEqual([
      3,
      expect.stringMatching(/'true' succeeded, before the drill already/),
    ])
  })

  test('when it is a part of the system by another mount', async () => {
    const etc = path.join(ground.directory, 'etc')
    mkdirSync(etc)
    execFileSync('mount', ['--bind', '/etc/alternatives', etc])
    try {
      const argv = ['drill', 'permissions', '--path', etc, '--dry-run', '--allow-root-filesystem']
      const { exitCode, stderr } = await cli(argv)
      expect([exitCode, stderr]).toEqual([3, expect.stringMatching(/is a part of the system/)])
    } finally {
      execFileSync('umount', [etc])
    }
  })

  test('when something is mounted below it, which would be hidden', async () => {
    const below = path.join(ground.data, 'wal')
    execFileSync('mount', ['-t', 'tmpfs', 'none', below])
    try {
      const { exitCode, stderr } = await drill('readonly', ...place())
      expect([exitCode, stderr]).toEqual([3, expect.stringMatching(/which readonly would hide/)])
    } finally {
      execFileSync('umount', [below])
    }
  })

  test('when there is no such directory', async () => {
    await refused(['drill', 'diskfull', '--path', '/nonexistent', '--yes'], 2, /ENOENT/)
  })

  test('when the journal may not be written, which is no matter of room', async () => {
    mkdirSync(ground.state, { mode: 0o500 })
    await refused(
      argv('permissions', ...place()),
      3,
      /cannot be written: EACCES.*\nhint: nothing was touched; give/,
    )
  })

  test('when there is no room for the journal', async () => {
    const full = prepareGround(4)
    try {
      try {
        for (;;) writeFileSync(path.join(full.mountPoint, 'ballast'), Buffer.alloc(4096), { flag: 'a' })
      } catch {}
      const elsewhere = ['--state', full.mountPoint]
      await refused(
        argv('permissions', ...place(), ...elsewhere),
        3,
        /the undo journal cannot be written: ENOSPC/,
      )
      expect(readJournal(full.mountPoint)).toBeUndefined()
    } finally {
      full.remove()
    }
  })

  test.skipIf(!has('mkfs.btrfs')).each([
    ['permissions', []],
    ['quota-volume', ['--size', '8MiB', '--stop-cmd', 'true', '--start-cmd', 'true']],
  ] as const)(
    'where a part of it is a subvolume, which %s would leave out (needs mkfs.btrfs)',
    async (fault, options) => {
      const volume = path.join(ground.directory, 'btrfs')
      const data = path.join(volume, 'data')
      mkdirSync(volume)
      writeFileSync(`${volume}.image`, '')
      truncateSync(`${volume}.image`, 320 << 20)
      execFileSync('mkfs.btrfs', ['-q', `${volume}.image`])
      execFileSync('mount', ['-o', 'loop', `${volume}.image`, volume])
      try {
        mkdirSync(data)
        execFileSync('btrfs', ['-q', 'subvolume', 'create', path.join(data, 'base')])
        await refused(argv(fault, '--path', data, ...options), 3, /'base' in it is a subvolume/)
      } finally {
        execFileSync('umount', [volume])
        rmSync(volume, { recursive: true })
      }
    },
  )

  test('when another drill is at work there, with another state directory', async () => {
    const other = ['--state', path.join(ground.directory, 'other')]
    const running = await start(argv('diskfull', ...place(), '--leave', '8MiB', '--for', '60s'))
    const second = await drill('permissions', ...place(), ...other)
    expect([second.exitCode, second.stderr]).toEqual([
      3,
      expect.stringMatching(/another drill is at work on the file system of .*data/),
    ])
    await undo()
    await running.end()
    const { pid } = await serve('print("there"); time.sleep(1000)')
    const paused = await start(argv('pause', '--pid', String(pid), '--for', '60s'))
    const third = await drill('fd-limit', '--pid', String(pid), ...other)
    expect([third.exitCode, third.stderr]).toEqual([
      3,
      expect.stringMatching(/another drill is at work on python3 \(\d+\)/),
    ])
    await undo()
    await paused.end()
  })
})
