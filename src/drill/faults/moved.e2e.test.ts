/** A directory above the one that is drilled gets another name meanwhile, or something is mounted over it. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { cli } from '../../testing/cli.js'
import { describeDrills, POLL, start } from '../../testing/drills.js'
import { mountHung, NO_HUNG_MOUNT } from '../../testing/hung-mount.js'
import { mounts } from '../host/mounts.js'

describeDrills('moved', ({ ground, argv, place, drill, undo }) => {
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
  const hung = NO_HUNG_MOUNT === undefined ? '' : ` (${NO_HUNG_MOUNT})`
  async function waitsBeneath(hidden: string, fault: string) {
    const running = await start(argv(fault, ...place(), '--for', '600s'))
    const unmount = await mountHung(hidden, 'everybody')
    running.child.kill('SIGINT')
    try {
      const ended = await Promise.race([running.end(), sleep(20_000, undefined)])
      const said = expect.stringMatching(`something is mounted over ${hidden}.*: unmount that first`)
      expect([ended?.code, ended?.output]).toEqual([4, said])
    } finally {
      await unmount()
      await running.end()
    }
    expect((await undo()).exitCode).toBe(0)
  }

  test.skipIf(NO_HUNG_MOUNT).each(['permissions', 'inodes'])(
    `%s waits for what never answers, and is mounted over the path, to go${hung}`,
    (fault) => waitsBeneath(ground.data, fault),
  )

  test.skipIf(NO_HUNG_MOUNT)(
    `permissions waits where it hides the mount point that the path is${hung}`,
    async () => {
      execFileSync('mount', ['--bind', ground.data, ground.data])
      try {
        await waitsBeneath(ground.mountPoint, 'permissions')
      } finally {
        execFileSync('umount', [ground.data])
      }
    },
  )

  test.skipIf(NO_HUNG_MOUNT)(`diskfull gives its room back beneath it${hung}`, async () => {
    const room = ground.free().bytes
    const running = await start(argv('diskfull', ...place(), '--for', '600s'))
    const unmount = await mountHung(ground.data, 'everybody')
    running.child.kill('SIGINT')
    try {
      await expect.poll(() => existsSync(path.join(ground.state, 'active')), POLL).toBe(false)
      await expect.poll(() => ground.free().bytes, POLL).toBe(room)
    } finally {
      await unmount()
      await running.end()
    }
  })
})
