/** A tree that its owner may not write to any more, and gets its modes back. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { cli } from '../../testing/cli.js'
import { prepareGround } from '../../testing/drill-ground.js'
import { describeDrills, killBoth, POLL, start } from '../../testing/drills.js'
import { mountHung, NO_HUNG_MOUNT } from '../../testing/hung-mount.js'
import { activeDirectory } from '../journal.js'

const NOBODY = 65534

describeDrills('permissions', ({ ground, expectAsBefore, argv, place, drill, undo }) => {
  test('takes every write bit, shows it, and gives each mode back', async () => {
    const running = await start(argv('permissions', ...place(), '--for', '600s'))
    const now = ground.snapshot()
    for (const [name, facts] of Object.entries(now)) {
      if (!name.startsWith(ground.data) || /immutable|link|fifo/.test(name)) continue
      expect(Number.parseInt(facts.split(' ')[0]!.slice(2), 8) & 0o222, name).toBe(0)
    }
    running.child.kill('SIGINT')
    const { output } = await running.end()
    expect(output).toMatch(/not of .*immutable: EPERM/)
    expect(output).toMatch(/EACCES probe \d/)
  })

  test('leaves what others did meanwhile, and says so', async () => {
    const at = (name: string) => path.join(ground.data, name)
    const made = ['chmodded', 'removed', 'replaced', 'moved', 'back'].map(at)
    for (const file of made) writeFileSync(file, 'x', { mode: 0o644 })
    const running = await start(argv('permissions', ...place(), '--for', '30s'))
    chmodSync(at('chmodded'), 0o755)
    chmodSync(at('back'), 0o644)
    rmSync(at('removed'))
    writeFileSync(at('new'), 'y', { mode: 0o444 })
    rmSync(at('replaced'))
    writeFileSync(at('replaced'), 'z', { mode: 0o444 })
    renameSync(at('moved'), at('elsewhere'))
    running.child.kill('SIGINT')
    const { code, output } = await running.end()
    expect(code).toBe(130)
    const mode = (name: string) => (statSync(at(name)).mode & 0o7777).toString(8)
    expect(['chmodded', 'back', 'new', 'replaced', 'elsewhere'].map(mode)).toEqual([
      '755',
      '644',
      '444',
      '444',
      '644',
    ])
    for (const said of [
      /chmodded: somebody gave it the mode 755, it had 644/,
      /removed: gone, or another file by now; it had the mode 644/,
      /replaced: gone, or another file by now/,
      /replaced: made meanwhile, with the mode 444, which nobody but root may write to/,
      /new: made meanwhile/,
      /moved: has the name .*elsewhere by now/,
    ]) {
      expect(output).toMatch(said)
    }
    for (const name of ['chmodded', 'replaced', 'elsewhere', 'back', 'new']) rmSync(at(name))
  })

  test.each(['the directory', 'a directory below it'])(
    'does not follow a link that %s became',
    async (which) => {
      const victim = path.join(ground.mountPoint, 'victim')
      mkdirSync(victim)
      for (const name of ['000001.log', 'main.db'])
        writeFileSync(path.join(victim, name), '', { mode: 0o444 })
      const replaced = which === 'the directory' ? ground.data : path.join(ground.data, 'wal')
      const running = await start(argv('permissions', ...place(), '--for', '30s'))
      renameSync(replaced, `${replaced}.away`)
      symlinkSync(victim, replaced)
      running.child.kill('SIGKILL')
      await running.end()
      const tried = await undo()
      expect(readdirSync(victim).map((name) => statSync(path.join(victim, name)).mode & 0o777)).toEqual([
        0o444, 0o444,
      ])
      rmSync(victim, { recursive: true })
      rmSync(replaced)
      renameSync(`${replaced}.away`, replaced)
      if (which === 'the directory') {
        // nothing below it could be reached: the journal waits until it is back
        expect(tried.exitCode).toBe(4)
        expect(tried.stderr).toMatch(/not everything could be put back/)
        expect((await undo()).exitCode).toBe(0)
      }
      // what is in the other has another name, and is found by what it is
    },
  )

  test('is undone though others made what may not be looked at', async () => {
    const state = path.join(ground.directory, 'theirs')
    mkdirSync(state, { mode: 0o700 })
    const own = path.join(ground.data, 'own')
    mkdirSync(path.join(own, 'sub'), { recursive: true })
    for (const each of [state, own, path.join(own, 'sub')]) chownSync(each, NOBODY, NOBODY)
    const as = { prefix: ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] }
    const running = cli(['drill', 'permissions', '--path', own, '--yes', '--for', '2s', '--state', state], {
      as,
    })
    await expect.poll(() => statSync(own).mode & 0o222, POLL).toBe(0)
    mkdirSync(path.join(own, 'closed'), { mode: 0o700 })
    const { exitCode, stdout, stderr } = await running
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stderr).toMatch(/left as it is: .*'closed' in it may not be read/)
    expect([own, path.join(own, 'sub')].map((each) => statSync(each).mode & 0o777)).toEqual([0o755, 0o755])
    for (const each of [own, state]) rmSync(each, { recursive: true })
  })

  test('does not reach through a mount to what lies elsewhere on the same file system', async () => {
    const outside = path.join(ground.mountPoint, 'outside')
    const bound = ['directory', 'file'].map((name) => path.join(ground.data, name))
    mkdirSync(outside)
    writeFileSync(path.join(outside, 'conf'), '', { mode: 0o644 })
    mkdirSync(bound[0]!)
    writeFileSync(bound[1]!, '')
    execFileSync('mount', ['--bind', outside, bound[0]!])
    execFileSync('mount', ['--bind', path.join(outside, 'conf'), bound[1]!])
    try {
      for (const fault of ['permissions', 'immutable']) {
        const running = await start(argv(fault, ...place(), '--for', '600s'))
        expect(statSync(path.join(outside, 'conf')).mode & 0o777).toBe(0o644)
        writeFileSync(path.join(outside, 'conf'), 'written')
        running.child.kill('SIGINT')
        await running.end()
      }
    } finally {
      execFileSync('umount', bound)
      for (const each of [outside, ...bound]) rmSync(each, { recursive: true })
    }
  })

  const hung = NO_HUNG_MOUNT === undefined ? '' : ` (${NO_HUNG_MOUNT})`
  test.skipIf(NO_HUNG_MOUNT).each([
    ['permissions', 'its user alone'],
    ['permissions', 'everybody'],
    ['immutable', 'its user alone'],
    ['immutable', 'everybody'],
  ] as const)(
    `%s asks nothing of what is mounted below it meanwhile, for %s${hung}`,
    async (fault, whose) => {
      const covered = path.join(ground.data, 'covered')
      mkdirSync(path.join(covered, 'sub'), { recursive: true })
      const before = ground.snapshot()
      const running = await start(argv(fault, ...place(), '--for', '600s'))
      const unmount = await mountHung(covered, whose)
      running.child.kill('SIGINT')
      let output: string
      try {
        const ended = await Promise.race([running.end(), sleep(20_000, undefined)])
        output = ended?.output ?? 'it waits'
        expect(ended?.code, output).toBe(4)
      } finally {
        await unmount()
        await running.end()
      }
      for (const name of ['covered', 'covered/sub'])
        expect(output).toMatch(new RegExp(`data/${name}: 'covered' is covered by what is mounted over it`))
      // all the others are as they were
      const later = ground.snapshot()
      const differing = Object.keys(before).filter((name) => before[name] !== later[name])
      expect(differing).toEqual([covered, path.join(covered, 'sub')])
      expect((await undo()).exitCode).toBe(0)
      expect(ground.snapshot()).toEqual(before)
      rmSync(covered, { recursive: true })
    },
  )

  test.skipIf(NO_HUNG_MOUNT)(`goes past what was mounted below it before${hung}`, async () => {
    const covered = path.join(ground.data, 'covered')
    mkdirSync(covered)
    const unmount = await mountHung(covered, 'its user alone')
    try {
      for (const fault of ['permissions', 'immutable']) {
        const { exitCode, stdout, stderr } = await drill(fault, ...place(), '--for', '300ms')
        expect(exitCode, stdout + stderr).toBe(0)
      }
    } finally {
      await unmount()
      rmSync(covered, { recursive: true })
    }
  })

  test('with its journal cut in half, undoes what is left of it, and does not call that undone', async () => {
    const running = await start(argv('permissions', ...place(), '--for', '30s'))
    await killBoth(running)
    const saved = path.join(activeDirectory(ground.state), 'saved.jsonl')
    const whole = readFileSync(saved)
    truncateSync(saved, Math.floor(whole.length / 2))
    const tried = await undo()
    expect(tried.exitCode).toBe(4)
    expect(tried.stderr).toMatch(/saved.jsonl is damaged: \d+ of \d+ lines can be read/)
    expect(tried.stderr).toMatch(/the modes of [1-9]\d* files and directories put back/)
    expect(expectAsBefore).toThrow()
    writeFileSync(saved, whole)
    expect((await undo()).exitCode).toBe(0)
  })

  test('after a boot, in which devices have other numbers', async () => {
    const running = await start(argv('permissions', ...place(), '--for', '30s'))
    await killBoth(running)
    const directory = activeDirectory(ground.state)
    const rewrite = (name: string, change: (text: string) => string) => {
      const text = change(readFileSync(path.join(directory, name), 'utf8'))
      writeFileSync(path.join(directory, name), text)
      return text
    }
    const boot = (text: string) => text.replace(/"bootId":"[^"]+"/, '"bootId":"another"')
    const saved = rewrite('saved.jsonl', (text) => text.replace(/"dev":"\d+"/g, '"dev":"99999"'))
    const sha256 = createHash('sha256').update(saved).digest('hex')
    rewrite('plan.json', (text) => boot(text).replace(/"dev":"\d+"/, '"dev":"99999"'))
    rewrite('armed.json', (text) => boot(text).replace(/"sha256":"[^"]+"/, `"sha256":"${sha256}"`))
    const { exitCode, stdout, stderr } = await undo()
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stdout).not.toMatch(/left as it is/)
  })

  test('of 100,000 files', { timeout: 300_000 }, async () => {
    const large = prepareGround(128, 102_000)
    try {
      for (let directory = 0; directory < 100; directory += 1) {
        const full = path.join(large.data, String(directory))
        mkdirSync(full)
        for (let file = 0; file < 1000; file += 1) writeFileSync(path.join(full, String(file)), '')
      }
      const modes = () =>
        execFileSync('find', [large.data, '-printf', '%P %m %u\\n'], { maxBuffer: 1 << 28 }).toString()
      const tree = modes()
      const there = ['--path', large.data, '--state', large.state, '--user', '65534']
      const { exitCode, stdout, stderr } = await drill('permissions', ...there, '--for', '100ms')
      expect(exitCode, stdout + stderr).toBe(0)
      expect(stderr).toMatch(/the modes of 10\d{4} files and directories put back/)
      expect(modes() === tree).toBe(true)
    } finally {
      large.remove()
    }
  })
})
