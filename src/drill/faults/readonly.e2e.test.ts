/** A file system that is mounted read-only over a directory, and goes without harm to who is in it. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { cli } from '../../testing/cli.js'
import { describeDrills, POLL } from '../../testing/drills.js'
import { mounts } from '../host/mounts.js'

describeDrills('readonly', ({ ground, drill, place, serve, contain }) => {
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
    const isOn = () => mounts().some(({ point: at, options }) => at === ground.data && options.includes('ro'))
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
    const isOn = () => mounts().some(({ point: at, options }) => at === ground.data && options.includes('ro'))
    const running = drill('readonly', ...place(), '--for', '2s')
    await expect.poll(isOn, POLL).toBe(true)
    const _child = await contain()
    const { exitCode, stdout, stderr } = await running
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stdout + stderr).toMatch(/was started meanwhile in a container, and has .*data read-only/)
  })

  test('is refused for a service that would not see it', async () => {
    const child = await contain()
    const { exitCode, stderr } = await drill('readonly', ...place(), '--pid', String(child.pid))
    expect(stderr).toMatch(/has a mount namespace of its own/)
    expect(exitCode).toBe(3)
  })

  test('says by which other mount it can be reached, and written to', async () => {
    const alias = path.join(ground.directory, 'alias')
    mkdirSync(alias)
    execFileSync('mount', ['--bind', ground.mountPoint, alias])
    try {
      const { stdout } = await drill('readonly', ...place(), '--dry-run')
      expect(stdout.replaceAll(/\s+/g, ' ')).toContain(`by way of ${alias} may go on writing`)
      expect(stdout.match(/by way of/g)).toHaveLength(1)
    } finally {
      execFileSync('umount', [alias])
    }
  })
})
