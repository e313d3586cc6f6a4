/** All inodes of a file system used up: seen, kept so, and given back. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { cli } from '../../testing/cli.js'
import { describeDrills, POLL, start } from '../../testing/drills.js'
import { mountHung, NO_HUNG_MOUNT } from '../../testing/hung-mount.js'

describeDrills('inodes', ({ ground, argv, drill, place }) => {
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

  const hung = NO_HUNG_MOUNT === undefined ? '' : ` (${NO_HUNG_MOUNT})`
  test.skipIf(NO_HUNG_MOUNT)(`are found without asking what is mounted beside them${hung}`, async () => {
    const covered = path.join(ground.data, 'a')
    mkdirSync(covered)
    const running = await start(argv('inodes', ...place(), '--for', '600s'))
    const unmount = await mountHung(covered, 'everybody')
    const name = readdirSync(ground.data).find((each) => each.startsWith('.lightning-chaos'))!
    renameSync(path.join(ground.data, name), path.join(ground.data, 'mine'))
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
