/** All inodes of a file system used up: seen, kept so, and given back. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { describeDrills, killBoth, start } from '../../testing/drills.js'
import { mountHung, NO_HUNG_MOUNT } from '../../testing/hung-mount.js'

describeDrills('inodes', ({ ground, argv, drill, undo, place }) => {
  /** The directory of the drill that is on. */
  const made = () =>
    path.join(ground.data, readdirSync(ground.data).find((name) => name.startsWith('.lightning-chaos'))!)

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

  test('come back though the directory has another name, or is elsewhere', async () => {
    const free = ground.free()
    for (const away of [path.join(ground.data, 'mine'), path.join(ground.mountPoint, 'mine')]) {
      const running = await start(argv('inodes', ...place(), '--for', '600s'))
      renameSync(made(), away)
      running.child.kill('SIGINT')
      const { code, output } = await running.end()
      expect(code, output).toBe(130)
      expect(output).toContain(`${free.inodes} inodes free`)
      expect(existsSync(away)).toBe(false)
      expect(ground.free()).toEqual(free)
    }
  })

  test('are waited for where nobody is left who knows where the directory is', async () => {
    const others = Array.from({ length: 10 }, (_, index) => path.join(ground.mountPoint, `other-${index}`))
    for (const other of others) writeFileSync(other, '')
    const running = await start(argv('inodes', ...place(), '--for', '600s'))
    const from = made()
    const away = path.join(ground.mountPoint, 'mine')
    renameSync(from, away)
    await killBoth(running)
    // what others give back is no sign of it
    for (const other of others) rmSync(other)
    const { exitCode, stdout, stderr } = await undo()
    expect(exitCode, stdout).toBe(4)
    expect(stderr).toMatch(
      /is not there any more, and its inodes were not given back; where it is now: find /,
    )
    renameSync(away, from)
    expect((await undo()).exitCode).toBe(0)
  })

  test('are given back though somebody else put a directory of the same name in its place', async () => {
    const theirs = path.join(ground.data, 'theirs')
    mkdirSync(theirs)
    writeFileSync(path.join(theirs, 'file'), '')
    for (const file of [theirs, path.join(theirs, 'file')]) chownSync(file, 65534, 65534)
    const free = ground.free()
    const running = await start(argv('inodes', ...place(), '--for', '600s'))
    const from = made()
    renameSync(from, path.join(ground.data, 'mine'))
    renameSync(path.join(theirs, 'file'), path.join(theirs, path.basename(from)))
    renameSync(theirs, from)
    running.child.kill('SIGINT')
    const { code, output } = await running.end()
    expect(code, output).toBe(130)
    expect(existsSync(path.join(ground.data, 'mine'))).toBe(false)
    expect(ground.free()).toEqual(free)
    rmSync(from, { recursive: true })
  })

  const hung = NO_HUNG_MOUNT === undefined ? '' : ` (${NO_HUNG_MOUNT})`
  test.skipIf(NO_HUNG_MOUNT)(`are found without asking what is mounted beside them${hung}`, async () => {
    const covered = path.join(ground.data, 'a')
    mkdirSync(covered)
    const running = await start(argv('inodes', ...place(), '--for', '600s'))
    const unmount = await mountHung(covered, 'everybody')
    renameSync(made(), path.join(ground.data, 'mine'))
    running.child.kill('SIGINT')
    try {
      const ended = await Promise.race([running.end(), sleep(20_000, undefined)])
      expect(ended?.code, ended?.output).toBe(130)
    } finally {
      await unmount()
      await running.end()
      rmSync(covered, { recursive: true })
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
