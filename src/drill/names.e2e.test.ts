/** Names of the host, which others choose: nothing that is in one does anything to a terminal, or looks like a line of ours. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmdirSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { describeDrills, killBoth, start } from '../testing/drills.js'

/** Sets the title of a terminal, rings its bell, and begins a line. */
const NAME = '\u001b]0;x\u0007\nall ok'
/** Every control character but the end of a line. */
const CONTROL = /[^\P{Cc}\n]/u

describeDrills('a name of the host', ({ ground, argv, place, drill, undo, serve }) => {
  const expectHarmless = (text: string, shows: RegExp) => {
    expect(text).toMatch(shows)
    expect(text).not.toMatch(CONTROL)
    expect(text).not.toMatch(/^all ok/m)
  }
  // a program is called as its file is
  const shell = () => path.join(ground.directory, NAME)
  beforeAll(() => symlinkSync('/bin/sh', shell()))
  const named = () => serve(`os.execv(${JSON.stringify(shell())}, ["sh", "-c", "echo there; read end"])`)
  const ofProcess = async () => ['--pid', String((await named()).pid)]

  test('of a process, in what a drill says and reports', async () => {
    const kinds = ['html', 'markdown', 'junit', 'github', 'dot']
    const file = (kind: string) => path.join(ground.directory, `report.${kind}`)
    const reporters = ['table', ...kinds.map((kind) => `${kind}=${file(kind)}`)]
    const { stdout, stderr, exitCode } = await drill(
      'pause',
      ...(await ofProcess()),
      ...['--for', '500ms', ...reporters.flatMap((each) => ['--reporter', each])],
    )
    expect(exitCode, stderr).toBe(0)
    expectHarmless(stderr, /^undone: goes on: /m)
    expectHarmless(stdout, /PASS/)
    for (const kind of kinds) expectHarmless(readFileSync(file(kind), 'utf8'), /./)
  })

  test('of a process, in a plan', async () => {
    expectHarmless((await drill('pause', ...(await ofProcess()), '--dry-run')).stdout, /does +stops/)
  })

  test('of a process, in what an undo says', async () => {
    await killBoth(await start(argv('pause', ...(await ofProcess()), '--for', '60s')))
    expectHarmless((await undo()).stdout, /^undone: pause .*goes on: /)
  })

  test('of a mount, in an error', async () => {
    const below = path.join(ground.data, NAME)
    mkdirSync(below)
    execFileSync('mount', ['-t', 'tmpfs', 'theirs', below])
    try {
      const { stderr, exitCode } = await drill('readonly', ...place(), '--for', '1s')
      expect(exitCode, stderr).not.toBe(0)
      expectHarmless(stderr, /^error: /)
    } finally {
      execFileSync('umount', [below])
      rmdirSync(below)
    }
  })
})
