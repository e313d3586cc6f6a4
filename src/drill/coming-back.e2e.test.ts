/** Whatever ends a drill, all comes back: a signal, a kill, a journal that is gone, a clock that jumps. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { cli } from '../testing/cli.js'
import { prepareGround } from '../testing/drill-ground.js'
import { describeDrills, killBoth, POLL, start } from '../testing/drills.js'
import { activeDirectory, readJournal } from './journal.js'
import { drillMark } from './plan.js'

describeDrills('a drill comes back', (bench) => {
  const { ground, expectAsBefore, argv, place, drill, undo, audit, contain, serve } = bench
  test.each(['SIGINT', 'SIGTERM'] as const)('on %s, and says so before it ends', async (signal) => {
    const running = await start(argv('diskfull', ...place(), '--for', '60s'))
    // to the whole group, as a terminal does
    process.kill(-running.child.pid!, signal)
    const { code, output } = await running.end()
    expect(code).toBe(130)
    expect(output).toMatch(/undone: the file without a name is closed/)
    expect(output).toMatch(/ended early: stopped by the user/)
  })

  test.each(['permissions', 'diskfull'])('at once, when the tool is killed: %s', async (fault) => {
    const running = await start(argv(fault, ...place(), '--for', '600s'))
    running.child.kill('SIGKILL')
    await running.end()
    expect(readJournal(ground.state)).toBeUndefined()
    expectAsBefore()
    expect(audit().at(-1)).toMatchObject({ event: 'undone', fault })
  })

  test.each(['permissions', 'diskfull'])('at once, when the watchdog is killed: %s', async (fault) => {
    const running = await start(argv(fault, ...place(), '--for', '600s'))
    process.kill(running.watchdog, 'SIGKILL')
    const { code, output } = await running.end()
    expect(output).toMatch(/the watchdog was killed; it was undone from the journal/)
    expect(code).toBe(1)
    expect(readJournal(ground.state)).toBeUndefined()
  })

  test('when the watchdog is killed before the fault is on, and the tool ends at once', async () => {
    const slow = path.join(ground.directory, 'slow')
    mkdirSync(slow)
    writeFileSync(path.join(slow, 'fallocate'), '#!/bin/sh\nkill -9 $PPID\n', { mode: 0o755 })
    const env = { PATH: `${slow}:${process.env.PATH}` }
    // one that waits for its own timers takes longer than a test may
    const { exitCode, stderr } = await cli(argv('diskfull', ...place(), '--for', '1s'), { env })
    expect(stderr).toMatch(/the watchdog was killed before the fault was on/)
    expect(exitCode).toBe(3)
  })

  test('by drill undo, while the tool and its watchdog are at work', async () => {
    const running = await start(argv('permissions', ...place(), '--for', '60s'))
    const { exitCode, stdout } = await undo()
    expect(exitCode, stdout).toBe(0)
    expectAsBefore()
    expect((await running.end()).output).toMatch(/undone/)
    expect((await undo()).stdout).toBe(`no drill is active (${ground.state})\n`)
  })

  test('by drill undo, when tool and watchdog were killed; no other drill begins before that', async () => {
    const running = await start(argv('permissions', ...place(), '--for', '500ms'))
    await killBoth(running)
    const status = await cli(['drill', 'status', '--json', '--state', ground.state])
    expect(JSON.parse(status.stdout)).toMatchObject({
      active: [{ armed: true, watchdog: false, damage: [] }],
    })
    const again = await drill('permissions', ...place(), '--for', '500ms')
    expect(again.exitCode).toBe(3)
    expect(again.stderr).toMatch(/another drill is active: permissions/)
    expect((await undo()).exitCode).toBe(0)
  })

  test.each([
    ['as they are', 0o755],
    ['with the rights of root', 0o4755],
  ])('though somebody else keeps starting programs with the mark of its own, %s', async (_, mode) => {
    const running = await start(argv('permissions', ...place(), '--for', '60s'))
    const mark = drillMark(readJournal(ground.state)!.plan!)
    await killBoth(running)
    const program = path.join(ground.directory, 'sleep')
    copyFileSync('/bin/sleep', program)
    chmodSync(program, mode)
    await serve(`print("there")
while True:
  if os.fork() == 0: os.execve("${program}", ["sleep", "0.4"], dict(["${mark}".split("=")]))
  time.sleep(0.004)
  os.waitpid(-1, os.WNOHANG)`)
    const { exitCode, stderr } = await undo()
    expect(exitCode, stderr).toBe(0)
  })

  test.each(['diskfull', 'permissions', 'stall', 'readonly', 'immutable', 'inodes'])(
    'though its journal is gone: %s',
    async (fault) => {
      const running = await start(argv(fault, ...place(), '--for', '3s'))
      rmSync(ground.state, { recursive: true })
      const { code, output } = await running.end()
      expect(code, output).toBe(0)
    },
  )

  test('by two undos at once, of which one does it', async () => {
    const options = ['--path', ground.mountPoint, '--user', '0', '--for', '60s']
    await killBoth(await start(argv('readonly', ...options)))
    const both = await Promise.all([undo(), undo()])
    expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0])
  })

  test('by two undos, of which the second ends nothing that the first one has begun', async () => {
    const stop = path.join(ground.directory, 'slow-stop')
    const calls = `${stop}.calls`
    const script = `#!/bin/sh\necho >> ${calls}\nsleep 2\nexec ${ground.service.stop}\n`
    writeFileSync(stop, script, { mode: 0o755 })
    const commands = ['--stop-cmd', stop, '--start-cmd', ground.service.start]
    await killBoth(await start(argv('quota-volume', ...place(), '--size', '8MiB', ...commands)))
    const first = undo()
    await expect.poll(() => readFileSync(calls, 'utf8'), POLL).toBe('\n\n')
    for (const { exitCode, stderr } of await Promise.all([first, undo()])) expect(exitCode, stderr).toBe(0)
    execFileSync(ground.service.stop)
  })

  test.each([
    ['a directory', (log: string) => mkdirSync(log)],
    ['a pipe that nobody reads', (log: string) => execFileSync('mkfifo', [log])],
  ])('and says what its log lacks, where that is %s', async (_, make) => {
    mkdirSync(ground.state, { mode: 0o700 })
    make(path.join(ground.state, 'audit.jsonl'))
    const running = await start(argv('permissions', ...place(), '--for', '60s'))
    const { exitCode, stdout, stderr } = await undo()
    expect(exitCode, stderr).toBe(0)
    expect(stdout).toMatch(/undone: permissions/)
    const { code, output } = await running.end()
    expect(code, output).toBe(1)
    expect(output).toMatch(/ended early: told to by a signal/)
    expect(output).toMatch(/the audit log does not have it: /)
  })

  test('and what cannot be undone is kept in a new journal where the old one is gone', async () => {
    const running = await start(argv('permissions', ...place(), '--for', '3s'))
    rmSync(ground.state, { recursive: true })
    const away = `${ground.data}.away`
    renameSync(ground.data, away)
    const { code, output } = await running.end()
    expect(code, output).toBe(4)
    renameSync(away, ground.data)
    const undone = await undo()
    expect(undone.exitCode, undone.stderr).toBe(0)
    expect(undone.stdout).toMatch(/the modes of [1-9]\d* files and directories put back/)
  })

  test('but for its journal, which somebody put something into', async () => {
    const running = await start(argv('permissions', ...place(), '--for', '2s'))
    const theirs = path.join(activeDirectory(ground.state), '.plan.json.swp')
    writeFileSync(theirs, '')
    const { code, output } = await running.end()
    expect(code, output).toBe(4)
    expect(output).toMatch(/all is undone, and its journal cannot be removed/)
    expectAsBefore()
    expect((await undo()).stderr).toMatch(/rm -r /)
    rmSync(activeDirectory(ground.state), { recursive: true })
  })

  test('and when the watchdog is killed and the journal is gone, it is not called undone', async () => {
    const running = await start(argv('permissions', ...place(), '--for', '60s'))
    const journal = activeDirectory(ground.state)
    const kept = path.join(ground.directory, 'kept')
    cpSync(journal, kept, { recursive: true })
    rmSync(journal, { recursive: true })
    process.kill(running.watchdog, 'SIGKILL')
    const { code, output } = await running.end()
    expect(code, output).toBe(4)
    expect(output).toMatch(/its journal is gone: nothing could be undone/)
    renameSync(kept, journal)
    expect((await undo()).exitCode).toBe(0)
  })

  test('in its time, when the clock jumps', async () => {
    const jump = `const now = Date.now; Date.now = () => now() + (performance.now() > 300 ? 9e8 : 0)`
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(jump)}` }
    const running = await start(argv('permissions', ...place(), '--for', '5s'), env)
    await sleep(1000)
    // neither over long ago nor never
    expect(readJournal(ground.state)?.armed).toBe(true)
    expect((await running.end()).code).toBe(0)
  })

  test('at once with what it waits for, and is not held up by a question of an hour later', async () => {
    const failing = ['--every', '60m', '--probe', 'true', '--steady', '1']
    const { exitCode, stdout, stderr } = await drill('diskfull', ...place(), '--for', '300ms', ...failing)
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stderr).toMatch(/\[\.\|\.\|\.\]/)
  })

  test('when it is told to abort while the fault is not on yet', async () => {
    const slow = path.join(ground.directory, 'injecting')
    mkdirSync(slow)
    const flag = path.join(slow, 'flag')
    // ends with the watchdog's wish to end: not before somebody heard of the flag
    const held = `#!/bin/sh\ntouch ${flag}\nwhile ! test -e ${flag}.heard; do sleep 0.05; done\nPATH=\${PATH#*:} exec fallocate "$@"\n`
    writeFileSync(path.join(slow, 'fallocate'), held, { mode: 0o755 })
    const env = { PATH: `${slow}:${process.env.PATH}` }
    const abort = `sh -c 'test -e ${flag} && touch ${flag}.heard'`
    const { exitCode, stdout, stderr } = await cli(
      argv('diskfull', ...place(), '--for', '1s', '--every', '60m', '--abort-if', abort),
      { env },
    )
    expect(exitCode, stdout + stderr).toBe(1)
    expect(stderr).toMatch(/ended early: .* succeeded/)
  })

  test('when it is told to abort', async () => {
    const flag = path.join(ground.directory, 'flag')
    const running = await start(
      argv('diskfull', ...place(), '--for', '60s', '--every', '60m', '--abort-if', `test -e ${flag}`),
    )
    writeFileSync(flag, '')
    const { code, output } = await running.end()
    rmSync(flag)
    expect(code).toBe(1)
    expect(output).toMatch(/ended early: 'test -e .*' succeeded/)
  })

  test.each([
    ['readonly', []],
    ['quota-volume', ['--size', '8MiB', '--stop-cmd', 'true', '--start-cmd', 'true']],
  ] as const)(
    'in the mount namespace that it was begun in, and is not called undone in another one: %s',
    async (fault, options) => {
      const holder = await contain()
      const inside = ['nsenter', '--mount', '--target', String(holder.pid)]
      const full = argv(fault, ...place(), ...options, '--for', '60s')
      await killBoth(await start(full, {}, inside))
      const outside = await undo()
      expect([outside.exitCode, outside.stderr]).toEqual([
        4,
        expect.stringMatching(/in another mount namespace, that of process \d+: nsenter /),
      ])
      const covers = () =>
        readFileSync(`/proc/${holder.pid}/mountinfo`, 'utf8')
          .split('\n')
          .filter((line) => line.includes(` ${ground.data} `))
      expect(covers()).toHaveLength(1)
      const { exitCode, stderr } = await cli(['drill', 'undo', '--state', ground.state], {
        as: { prefix: inside },
      })
      expect(exitCode, stderr).toBe(0)
      expect(covers()).toEqual([])
    },
  )

  test('with its mount namespace', async () => {
    const holder = await contain()
    const inside = ['nsenter', '--mount', '--target', String(holder.pid)]
    await killBoth(await start(argv('readonly', ...place(), '--for', '60s'), {}, inside))
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const { exitCode, stdout } = await undo()
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/its mount namespace is gone/)])
  })
  test('where its file system was mounted again meanwhile, and is another device', async () => {
    const own = prepareGround()
    try {
      const tree = () => ({ ...own.snapshot(), mounts: '' })
      const before = tree()
      await killBoth(
        await start(argv('permissions', '--path', own.data, '--state', own.state, '--for', '60s')),
      )
      execFileSync('umount', [own.mountPoint])
      // takes the number of the device that was unmounted
      const other = path.join(own.directory, 'other')
      mkdirSync(other)
      writeFileSync(`${other}.image`, Buffer.alloc(1 << 20))
      execFileSync('mkfs.ext4', ['-q', '-F', `${other}.image`])
      execFileSync('mount', ['-o', 'loop', `${other}.image`, other])
      execFileSync('mount', ['-o', 'loop', path.join(own.directory, 'image'), own.mountPoint])
      execFileSync('umount', [other])
      const { exitCode, stdout, stderr } = await cli(['drill', 'undo', '--state', own.state])
      expect(exitCode, stderr).toBe(0)
      expect(stdout).not.toMatch(/left as it is/)
      expect(tree()).toEqual(before)
    } finally {
      own.remove()
    }
  })
})
