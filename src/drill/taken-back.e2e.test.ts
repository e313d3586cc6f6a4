/** Somebody takes a fault back before its time: what was there for a moment proves nothing of the rest. */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { NOBODY } from '../testing/cli.js'
import { putIntoDiskGroup } from '../testing/disk-group.js'
import { describeDrills, POLL, start } from '../testing/drills.js'

const BLKIO = '/sys/fs/cgroup/blkio'

describeDrills('a fault that somebody takes back', ({ ground, argv, place, serve }) => {
  const wal = () => path.join(ground.data, 'wal')
  const files = () => [wal(), path.join(wal(), '000001.log'), path.join(wal(), 'read-only')]
  const idle = () => serve('print("there"); time.sleep(1000)')

  const expectInconclusive = async (full: readonly string[], takeBack: (watchdog: number) => void) => {
    const calls = path.join(ground.directory, 'calls')
    writeFileSync(calls, '')
    const probe = ['--steady', '1', '--probe', `sh -c 'echo >> ${calls}'`, '--every', '100ms']
    const running = await start([...full, ...probe, '--for', '2s'])
    // it is asked for the second time once it was seen that the fault is on
    await expect.poll(() => readFileSync(calls, 'utf8').length, POLL).toBeGreaterThan(1)
    takeBack(running.watchdog)
    const { code, output } = await running.end()
    expect(output).toMatch(/somebody took the fault back before its time/)
    expect(code).toBe(1)
  }

  test('permissions', async () => {
    await expectInconclusive(argv('permissions', '--path', wal()), () => {
      chmodSync(wal(), 0o3775)
      chmodSync(files()[1]!, 0o666)
    })
  })

  test('immutable', async () => {
    await expectInconclusive(argv('immutable', '--path', wal()), () =>
      execFileSync('chattr', ['-i', ...files()]),
    )
  })

  test.each([
    ['unmounted', ['umount']],
    ['made writable', ['mount', '-o', 'remount,bind,rw']],
  ] as const)('readonly, %s', async (_, [program, ...args]) => {
    await expectInconclusive(argv('readonly', ...place()), () =>
      execFileSync(program, [...args, ground.data]),
    )
  })

  test('inodes', async () => {
    await expectInconclusive(argv('inodes', ...place()), (watchdog) => {
      // it would take each inode at once
      process.kill(watchdog, 'SIGSTOP')
      const made = readdirSync(ground.data).find((name) => name.startsWith('.lightning-chaos'))!
      rmSync(path.join(ground.data, made), { recursive: true })
      process.kill(watchdog, 'SIGCONT')
    })
  })

  test('stall', async () => {
    await expectInconclusive(argv('stall', ...place()), () =>
      execFileSync('fsfreeze', ['--unfreeze', ground.mountPoint]),
    )
  })

  test('quota-volume', async () => {
    const { stop, start: begin } = ground.service
    const commands = ['--size', '8MiB', '--stop-cmd', stop, '--start-cmd', begin]
    try {
      await expectInconclusive(argv('quota-volume', ...place(), ...commands), () =>
        execFileSync('umount', ['--lazy', ground.data]),
      )
    } finally {
      execFileSync(stop)
    }
  })

  test('pause', async () => {
    const { pid } = await idle()
    await expectInconclusive(argv('pause', '--pid', String(pid)), () => process.kill(pid, 'SIGCONT'))
  })

  test('fd-limit', async () => {
    const { pid } = await idle()
    await expectInconclusive(argv('fd-limit', '--pid', String(pid)), () =>
      execFileSync('setpriv', [...NOBODY.slice(1), 'prlimit', '--pid', String(pid), '--nofile=400:']),
    )
  })

  test.skipIf(!existsSync(BLKIO))('slow', async () => {
    const { pid } = await idle()
    const disks = putIntoDiskGroup(pid)
    const slow = argv('slow', ...place(), '--pid', String(pid), '--bytes-per-second', '32KiB')
    await expectInconclusive(slow, () => writeFileSync(path.join(BLKIO, 'cgroup.procs'), String(pid)))
    process.kill(pid, 'SIGKILL')
    await disks.remove()
  })
})
