/** Drills as a user does them, on a file system of our own. */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BIN, cli, has, NOBODY as NOBODY_PREFIX } from '../testing/cli.js'
import { type Ground, NO_GROUND, prepareGround } from '../testing/drill-ground.js'
import { allEnded, MARK, marked } from '../testing/leftovers.js'
import { activeDirectory, readJournal } from './journal.js'

const NOBODY = 65534
const PATIENCE_MS = 30_000
const POLL = { timeout: PATIENCE_MS, interval: 20 }

describe.skipIf(NO_GROUND !== undefined)(`drills (${NO_GROUND ?? 'root'})`, () => {
  let ground: Ground
  let before: ReturnType<Ground['snapshot']>
  beforeAll(() => {
    ground = prepareGround()
    before = ground.snapshot()
  })
  afterAll(() => ground.remove())
  beforeEach(() => rmSync(ground.state, { recursive: true, force: true }))
  afterEach(async () => {
    expect(readJournal(ground.state)).toBeUndefined()
  })

  const drill = (fault: string, ...options: string[]) => [
    ...['drill', fault, '--path', ground.data, '--state', ground.state, '--yes'],
    ...options,
  ]
  const undo = () => cli(['drill', 'undo', '--state', ground.state])
  const audit = () =>
    readFileSync(path.join(ground.state, 'audit.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))

  /** Starts a drill, and waits until its fault is on. */
  async function start(argv: readonly string[], env: Record<string, string> = {}) {
    const mark = `${process.pid}-${Math.random()}`
    const child = spawn(process.execPath, [BIN, ...argv], {
      detached: true,
      env: { ...process.env, [MARK]: mark, ...env },
    })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    const ended = once(child, 'exit')
    for (const deadline = Date.now() + PATIENCE_MS; !output.includes('the fault is on'); await sleep(20)) {
      if (Date.now() > deadline || child.exitCode !== null) throw new Error(`the fault is not on: ${output}`)
    }
    return {
      child,
      watchdog: marked(mark).find(({ command }) => command.includes('watchdog.js'))!.pid,
      async end() {
        const [code] = await ended
        await allEnded(mark)
        return { code, output }
      },
    }
  }

  /** So that neither can do the work of the other. */
  async function killBoth({ child, watchdog, end }: Awaited<ReturnType<typeof start>>): Promise<void> {
    process.kill(watchdog, 'SIGSTOP')
    child.kill('SIGKILL')
    process.kill(watchdog, 'SIGKILL')
    await end()
  }

  describe('diskfull', () => {
    test("tells the system's log of every step", async () => {
      const log = path.join(ground.directory, 'system-log')
      const logger = path.join(ground.directory, 'logger')
      writeFileSync(logger, `#!/bin/sh\necho "$*" >>${log}\n`, { mode: 0o755 })
      // in the place of logger(1), in a mount namespace of its own
      const place = `mount --bind ${logger} "$(command -v logger)" && exec "$@"`
      const as = { prefix: ['unshare', '--mount', 'sh', '-c', place, 'sh'] }
      const { exitCode, stderr } = await cli(drill('permissions', '--for', '500ms'), { as })
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
      const running = await start(drill('diskfull', '--leave', '1MiB', '--for', '600s'))
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
      expect(ground.snapshot()).toEqual(before)
      await expect.poll(() => ground.free(), POLL).toEqual(room)
    })

    test('passes, and leaves its traces in the state directory alone', async () => {
      const { exitCode, stdout, stderr } = await cli(drill('diskfull', '--for', '300ms'))
      expect(stdout).toMatch(/ENOSPC probe 1/)
      expect(stdout).toMatch(/PASS 100.0% \(1\/1\)/)
      expect(exitCode, stderr).toBe(0)
      expect(readdirSync(ground.state).sort()).toEqual(['audit.jsonl', 'undone.json'])
      expect(audit().map(({ event }) => event)).toEqual(['armed', 'injected', 'undone', 'verified'])
    })

    test('is inconclusive where the service may use what is reserved for root, unless that is filled, too', async () => {
      const asRoot = ['--user', '0', '--for', '500ms']
      const left = await cli(drill('diskfull', ...asRoot))
      expect(left.stdout).toMatch(/no evidence that the fault was there: writing \d+ bytes .* worked/)
      expect(left.exitCode).toBe(1)
      const filled = await cli(drill('diskfull', ...asRoot, '--reserved'))
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
          if (mkfs === undefined)
            execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', mountPoint])
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
      expect(ground.snapshot()).toEqual(before)
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

  describe('permissions', () => {
    test('takes every write bit, shows it, and gives each mode back', async () => {
      const running = await start(drill('permissions', '--for', '600s'))
      const now = ground.snapshot()
      for (const [name, facts] of Object.entries(now)) {
        if (!name.startsWith(ground.data) || /immutable|link|fifo/.test(name)) continue
        expect(Number.parseInt(facts.split(' ')[0]!.slice(2), 8) & 0o222, name).toBe(0)
      }
      running.child.kill('SIGINT')
      const { output } = await running.end()
      expect(output).toMatch(/not of .*immutable: EPERM/)
      expect(output).toMatch(/EACCES probe \d/)
      expect(ground.snapshot()).toEqual(before)
    })

    test('leaves what others did meanwhile, and says so', async () => {
      const at = (name: string) => path.join(ground.data, name)
      const made = ['chmodded', 'removed', 'replaced', 'moved', 'back'].map(at)
      for (const file of made) writeFileSync(file, 'x', { mode: 0o644 })
      const running = await start(drill('permissions', '--for', '30s'))
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
      expect(ground.snapshot()).toEqual(before)
    })

    test.each(['the directory', 'a directory below it'])(
      'does not follow a link that %s became',
      async (which) => {
        const victim = path.join(ground.mountPoint, 'victim')
        mkdirSync(victim)
        for (const name of ['000001.log', 'main.db'])
          writeFileSync(path.join(victim, name), '', { mode: 0o444 })
        const replaced = which === 'the directory' ? ground.data : path.join(ground.data, 'wal')
        const running = await start(drill('permissions', '--for', '30s'))
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
        expect(ground.snapshot()).toEqual(before)
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
          const running = await start(drill(fault, '--for', '600s'))
          expect(statSync(path.join(outside, 'conf')).mode & 0o777).toBe(0o644)
          writeFileSync(path.join(outside, 'conf'), 'written')
          running.child.kill('SIGINT')
          await running.end()
        }
      } finally {
        execFileSync('umount', bound)
        for (const each of [outside, ...bound]) rmSync(each, { recursive: true })
      }
      expect(ground.snapshot()).toEqual(before)
    })

    test('with its journal cut in half, undoes what is left of it, and does not call that undone', async () => {
      const running = await start(drill('permissions', '--for', '30s'))
      await killBoth(running)
      const saved = path.join(activeDirectory(ground.state), 'saved.jsonl')
      const whole = readFileSync(saved)
      truncateSync(saved, Math.floor(whole.length / 2))
      const tried = await undo()
      expect(tried.exitCode).toBe(4)
      expect(tried.stderr).toMatch(/saved.jsonl is damaged: \d+ of \d+ lines can be read/)
      expect(tried.stderr).toMatch(/the modes of [1-9]\d* files and directories put back/)
      expect(ground.snapshot()).not.toEqual(before)
      writeFileSync(saved, whole)
      expect((await undo()).exitCode).toBe(0)
      expect(ground.snapshot()).toEqual(before)
    })

    test('after a boot, in which devices have other numbers', async () => {
      const running = await start(drill('permissions', '--for', '30s'))
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
      expect(ground.snapshot()).toEqual(before)
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
        const argv = [
          'drill',
          'permissions',
          '--path',
          large.data,
          '--state',
          large.state,
          '--yes',
          '--for',
          '100ms',
        ]
        const { exitCode, stdout, stderr } = await cli([...argv, '--user', '65534'])
        expect(exitCode, stdout + stderr).toBe(0)
        expect(stderr).toMatch(/the modes of 10\d{4} files and directories put back/)
        expect(modes() === tree).toBe(true)
      } finally {
        large.remove()
      }
    })
  })

  describe('comes back', () => {
    test.each(['SIGINT', 'SIGTERM'] as const)('on %s, and says so before it ends', async (signal) => {
      const running = await start(drill('diskfull', '--for', '60s'))
      // to the whole group, as a terminal does
      process.kill(-running.child.pid!, signal)
      const { code, output } = await running.end()
      expect(code).toBe(130)
      expect(output).toMatch(/undone: the file without a name is closed/)
      expect(output).toMatch(/ended early: stopped by the user/)
    })

    test.each(['permissions', 'diskfull'])('at once, when the tool is killed: %s', async (fault) => {
      const running = await start(drill(fault, '--for', '600s'))
      running.child.kill('SIGKILL')
      await running.end()
      expect(readJournal(ground.state)).toBeUndefined()
      expect(ground.snapshot()).toEqual(before)
      expect(audit().at(-1)).toMatchObject({ event: 'undone', fault })
    })

    test.each(['permissions', 'diskfull'])('at once, when the watchdog is killed: %s', async (fault) => {
      const running = await start(drill(fault, '--for', '600s'))
      process.kill(running.watchdog, 'SIGKILL')
      const { code, output } = await running.end()
      expect(output).toMatch(/the watchdog was killed; it was undone from the journal/)
      expect(code).toBe(1)
      expect(readJournal(ground.state)).toBeUndefined()
      expect(ground.snapshot()).toEqual(before)
    })

    test('when the watchdog is killed before the fault is on, and the tool ends at once', async () => {
      const slow = path.join(ground.directory, 'slow')
      mkdirSync(slow)
      writeFileSync(path.join(slow, 'fallocate'), '#!/bin/sh\nkill -9 $PPID\n', { mode: 0o755 })
      const env = { PATH: `${slow}:${process.env.PATH}` }
      // one that waits for its own timers takes longer than a test may
      const { exitCode, stderr } = await cli(drill('diskfull', '--for', '1s'), { env })
      expect(stderr).toMatch(/the watchdog was killed before the fault was on/)
      expect(exitCode).toBe(3)
      expect(ground.snapshot()).toEqual(before)
    })

    test('by drill undo, while the tool and its watchdog are at work', async () => {
      const running = await start(drill('permissions', '--for', '60s'))
      const { exitCode, stdout } = await undo()
      expect(exitCode, stdout).toBe(0)
      expect(ground.snapshot()).toEqual(before)
      expect((await running.end()).output).toMatch(/undone/)
      expect((await undo()).stdout).toBe(`no drill is active (${ground.state})\n`)
    })

    test('by drill undo, when tool and watchdog were killed; no other drill begins before that', async () => {
      const running = await start(drill('permissions', '--for', '500ms'))
      await killBoth(running)
      const status = await cli(['drill', 'status', '--json', '--state', ground.state])
      expect(JSON.parse(status.stdout)).toMatchObject({
        active: [{ armed: true, watchdog: false, damage: [] }],
      })
      const again = await cli(drill('permissions', '--for', '500ms'))
      expect(again.exitCode).toBe(3)
      expect(again.stderr).toMatch(/another drill is active: permissions/)
      expect((await undo()).exitCode).toBe(0)
      expect(ground.snapshot()).toEqual(before)
    })

    test.each(['diskfull', 'permissions', 'stall', 'readonly', 'immutable', 'inodes'])(
      'though its journal is gone: %s',
      async (fault) => {
        const running = await start(drill(fault, '--for', '3s'))
        rmSync(ground.state, { recursive: true })
        const { code, output } = await running.end()
        expect(code, output).toBe(0)
        expect(ground.snapshot()).toEqual(before)
      },
    )

    test('by two undos at once, of which one does it', async () => {
      const argv = ['--path', ground.mountPoint, '--user', '0', '--for', '60s']
      await killBoth(await start(drill('readonly', ...argv)))
      const both = await Promise.all([undo(), undo()])
      expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0])
      expect(ground.snapshot()).toEqual(before)
    })

    test.each([
      ['a directory', (log: string) => mkdirSync(log)],
      ['a pipe that nobody reads', (log: string) => execFileSync('mkfifo', [log])],
    ])('and says what its log lacks, where that is %s', async (_, make) => {
      mkdirSync(ground.state, { mode: 0o700 })
      make(path.join(ground.state, 'audit.jsonl'))
      const running = await start(drill('permissions', '--for', '60s'))
      const { exitCode, stdout, stderr } = await undo()
      expect(exitCode, stderr).toBe(0)
      expect(stdout).toMatch(/undone: permissions/)
      const { code, output } = await running.end()
      expect(code, output).toBe(0)
      expect(output).toMatch(/the audit log does not have it: /)
      expect(ground.snapshot()).toEqual(before)
    })

    test('and what cannot be undone is kept in a new journal where the old one is gone', async () => {
      const running = await start(drill('permissions', '--for', '3s'))
      rmSync(ground.state, { recursive: true })
      const away = `${ground.data}.away`
      renameSync(ground.data, away)
      const { code, output } = await running.end()
      expect(code, output).toBe(4)
      renameSync(away, ground.data)
      const undone = await undo()
      expect(undone.exitCode, undone.stderr).toBe(0)
      expect(undone.stdout).toMatch(/the modes of [1-9]\d* files and directories put back/)
      expect(ground.snapshot()).toEqual(before)
    })

    test('but for its journal, which somebody put something into', async () => {
      const running = await start(drill('permissions', '--for', '2s'))
      const theirs = path.join(activeDirectory(ground.state), '.plan.json.swp')
      writeFileSync(theirs, '')
      const { code, output } = await running.end()
      expect(code, output).toBe(4)
      expect(output).toMatch(/all is undone, and its journal cannot be removed/)
      expect(ground.snapshot()).toEqual(before)
      expect((await undo()).stderr).toMatch(/rm -r /)
      rmSync(activeDirectory(ground.state), { recursive: true })
    })

    test('and when the watchdog is killed and the journal is gone, it is not called undone', async () => {
      const running = await start(drill('permissions', '--for', '60s'))
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
      expect(ground.snapshot()).toEqual(before)
    })

    test('in its time, when the clock jumps', async () => {
      const jump = `const now = Date.now; Date.now = () => now() + (performance.now() > 300 ? 9e8 : 0)`
      const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(jump)}` }
      const running = await start(drill('permissions', '--for', '5s'), env)
      await sleep(1000)
      // neither over long ago nor never
      expect(readJournal(ground.state)?.armed).toBe(true)
      expect((await running.end()).code).toBe(0)
      expect(ground.snapshot()).toEqual(before)
    })

    test('at once with what it waits for, and is not held up by a question of an hour later', async () => {
      const failing = ['--every', '60m', '--probe', 'true', '--steady', '1']
      const { exitCode, stdout, stderr } = await cli(drill('diskfull', '--for', '300ms', ...failing))
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
        drill('diskfull', '--for', '1s', '--every', '60m', '--abort-if', abort),
        { env },
      )
      expect(exitCode, stdout + stderr).toBe(1)
      expect(stderr).toMatch(/ended early: .* succeeded/)
      expect(ground.snapshot()).toEqual(before)
    })

    test('when it is told to abort', async () => {
      const flag = path.join(ground.directory, 'flag')
      const running = await start(
        drill('diskfull', '--for', '60s', '--every', '60m', '--abort-if', `test -e ${flag}`),
      )
      writeFileSync(flag, '')
      const { code, output } = await running.end()
      rmSync(flag)
      expect(code).toBe(1)
      expect(output).toMatch(/ended early: 'test -e .*' succeeded/)
    })
  })

  describe('the witness', () => {
    test('passes over what the service passes over, by a capability', async () => {
      const capability = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override']
      const { pid } = spawn(NOBODY_PREFIX[0]!, [...NOBODY_PREFIX.slice(1), ...capability, 'sleep', '1000'])
      await expect.poll(() => readFileSync(`/proc/${pid}/comm`, 'latin1'), POLL).toBe('sleep\n')
      const { exitCode, stdout, stderr } = await cli(
        drill('permissions', '--for', '500ms', '--pid', String(pid)),
      )
      process.kill(pid!, 'SIGKILL')
      expect(stderr).toMatch('uid 65534, gid 65534, cap_dac_override')
      expect(stdout).toMatch(/no evidence that the fault was there: .* worked/)
      expect(exitCode).toBe(1)
    })

    test('is out of reach of the user that it becomes, and has no secrets', async () => {
      const running = await start(drill('diskfull', '--for', '600s'), { SECRET_OF_ROOT: 'hunter2' })
      const tool = running.child.pid
      const of = (pid: string, what: string) => readFileSync(`/proc/${pid}/${what}`, 'latin1')
      const witness = of(`${tool}/task/${tool}`, 'children')
        .trim()
        .split(' ')
        .find((pid) => of(pid, 'cmdline').includes('witness.js'))!
      expect(of(witness, 'environ')).not.toContain('hunter2')
      const listening = () => {
        const sockets = readdirSync(`/proc/${witness}/fd`).map((fd) =>
          readlinkSync(`/proc/${witness}/fd/${fd}`),
        )
        const ports = of(witness, 'net/tcp')
          .split('\n')
          .filter((line) => line.split(/ +/)[4] === '0A')
        return ports.filter((line) => sockets.includes(`socket:[${line.trim().split(/ +/)[9]}]`))
      }
      const ask = [...NOBODY_PREFIX, 'kill', '-USR1', witness] as const
      // the debugger of Node would be there after one or two
      for (let asked = 0; asked < 50; asked += 1) {
        execFileSync(ask[0]!, ask.slice(1))
        expect(listening()).toEqual([])
      }
      running.child.kill('SIGINT')
      expect((await running.end()).output).toMatch(/undone: .*ended early: stopped by the user/s)
    })
  })

  describe('is not done, and nothing is touched,', () => {
    const refused = async (argv: readonly string[], code: number, why: RegExp, env = {}) => {
      const { exitCode, stderr, stdout } = await cli(argv, { env })
      expect(stderr).toMatch(why)
      expect(exitCode, stdout).toBe(code)
      expect(ground.snapshot()).toEqual(before)
    }

    test('when it is only asked for', async () => {
      const { exitCode, stdout } = await cli(drill('diskfull', '--leave', '1MiB', '--dry-run'))
      expect(exitCode).toBe(0)
      expect(stdout).toMatch(/takes [\d.]+ MiB of .*volume \(ext4\), [\d.]+ MiB free now, and leaves 1 MiB/)
      expect(stdout).toMatch(/reserved for root/)
      expect(stdout).toMatch(/nothing was done/)
      expect(existsSync(ground.state)).toBe(false)
    })

    test('without a yes', async () => {
      await refused(
        drill('diskfull').filter((word) => word !== '--yes'),
        2,
        /asks before it begins, and there is no terminal/,
      )
    })

    test('in production', async () => {
      await refused(drill('diskfull'), 3, /marked as one in production/, { LIGHTNING_CHAOS_PRODUCTION: '1' })
    })

    test('when the probe fails before it', async () => {
      await refused(drill('diskfull', '--probe', 'false'), 3, /'false' fails before the drill: exit 1/)
    })

    test('when the service could not write there anyway', async () => {
      await refused(
        drill('diskfull', '--user', '4711'),
        3,
        /the service could not write there before the drill/,
      )
    })

    test('when its limits are passed before', async () => {
      const { exitCode, stderr } = await cli(drill('diskfull', '--abort-if', 'true'))
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
        const { exitCode, stderr } = await cli(drill('readonly'))
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
      await refused(drill('permissions'), 3, /cannot be written: EACCES.*\nhint: nothing was touched; give/)
    })

    test('when there is no room for the journal', async () => {
      const full = prepareGround(4)
      try {
        try {
          for (;;) writeFileSync(path.join(full.mountPoint, 'ballast'), Buffer.alloc(4096), { flag: 'a' })
        } catch {}
        const argv = drill('permissions').map((word) => (word === ground.state ? full.mountPoint : word))
        await refused(argv, 3, /the undo journal cannot be written: ENOSPC/)
        expect(readJournal(full.mountPoint)).toBeUndefined()
      } finally {
        full.remove()
      }
    })
  })

  test('expectations decide, and a round is a trial in every report', async () => {
    const report = path.join(ground.directory, 'report.json')
    const dd = `setpriv --reuid=65534 --regid=65534 --clear-groups dd if=/dev/zero of=${ground.data}/probe bs=2M count=1 conv=fsync status=none`
    const write = `sh -c '${dd}; code=$?; rm -f ${ground.data}/probe; exit $code'`
    const argv = drill('diskfull', '--leave', '1MiB', '--for', '1s', '--every', '200ms', '--probe', write)
    const met = await cli([
      ...argv,
      ...['--rounds', '2'],
      '--expect-during',
      'fail',
      '--expect-error',
      'No space left',
      `--reporter=json=${report}`,
    ])
    expect(met.exitCode, met.stdout + met.stderr).toBe(0)
    expect(met.stderr).toMatch(/\[\.\.\.\|x+\.?\|/)
    const { gate, scenarios } = JSON.parse(readFileSync(report, 'utf8'))
    expect(gate.met).toBe(true)
    expect(scenarios).toMatchObject([{ name: 'drill/diskfull', volume: 'ext4', trials: 2, passed: 2 }])
    const missed = await cli([...argv, '--expect-during', 'pass'])
    expect(missed.exitCode).toBe(1)
    expect(missed.stdout).toMatch(/unmet-expectation \(grace\): while the fault was on/)
    expect(ground.snapshot()).toEqual(before)
  })

  test('is not done again where the host is marked as one in production meanwhile', async () => {
    const cwd = path.join(ground.directory, 'marked')
    mkdirSync(cwd)
    const marker = path.join(cwd, 'production')
    writeFileSync(path.join(cwd, 'lightning-chaos.config.yaml'), `production-markers: ['${marker}']\n`)
    const { exitCode, stdout } = await cli(
      drill('permissions', '--for', '300ms', '--rounds', '3', '--probe', `touch ${marker}`),
      { cwd },
    )
    expect(stdout).toMatch(/not done: this host is marked as one in production/)
    expect(exitCode).toBe(1)
  })

  test('a drill that is kept in a file is the same drill, and can be exported', async () => {
    const file = path.join(ground.directory, 'drill.yaml')
    const kept = await cli(
      drill('diskfull', '--leave', '1MiB', '--for', '300ms', '--probe', 'true', '--save', file),
    )
    expect(kept.exitCode, kept.stderr).toBe(0)
    expect(existsSync(ground.state)).toBe(false)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const { exitCode, stdout, stderr } = await cli(['drill', 'run', file, '--yes', '--state', ground.state])
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/drill\/diskfull .* 100.0% +ENOSPC probe 1/)
    const experiment = JSON.parse((await cli(['drill', 'export', file, '--chaostoolkit'])).stdout)
    expect(experiment.method[0].provider.arguments).toEqual(['drill', 'run', file, '--yes'])
  })

  test('the line that does it again has no password', async () => {
    const asked = [
      '--probe',
      'true',
      '--expect-during',
      'fail',
      '--abort-if',
      'redis://:p@ssw0rd@127.0.0.1:1',
    ]
    const { stdout, stderr } = await cli(drill('permissions', '--for', '300ms', '--steady', '1', ...asked))
    expect(stdout).toMatch(/lightning-chaos drill .*redis:\/\/:…@127.0.0.1:1/)
    expect(stdout + stderr).not.toMatch('ssw0rd')
  })

  test.each([
    ['no directory', ['--state', ''], /'--state <directory>' argument '' is invalid/],
    ['no file', ['--save', ''], /'--save <file>' argument '' is invalid/],
    ['a number that no user has', ['--user', '99999999999'], /--user 99999999999: /],
    ['a process and a unit', ['--pid', '1', '--service', 'x'], /cannot be used with/],
    ['a wrong URL', ['--abort-if', 'postgres://%@127.0.0.1'], /^error: --abort-if postgres/m],
  ])('%s is wrong usage: %j', async (_, options, why) => {
    const { exitCode, stderr } = await cli(drill('diskfull', ...options))
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(why)])
  })

  test('more than is free cannot be left, which is no matter of rights', async () => {
    const { exitCode, stderr } = await cli(drill('diskfull', '--leave', '60MiB'))
    expect([exitCode, stderr]).toEqual([3, expect.stringMatching(/ENOSPC\n.*make room, or leave less/)])
  })

  test('one question, and one look, have an exit code', async () => {
    expect((await cli(['drill', 'probe', 'true'])).exitCode).toBe(0)
    const failed = await cli(['drill', 'probe', `sh -c 'echo no; exit 2'`])
    expect([failed.exitCode, failed.stdout]).toEqual([1, expect.stringMatching(/^fails, .*: exit 2: no\n$/)])
    // what it leaves running, with its output open, is not waited for
    const file = path.join(ground.directory, 'left')
    const left = await cli(['drill', 'probe', `sh -c 'sleep 1000 & echo $! > ${file}'`])
    expect(left.exitCode).toBe(0)
    process.kill(Number(readFileSync(file, 'utf8')))
    const status = ['drill', 'status', '--check', '--state', ground.state]
    expect((await cli(status)).exitCode).toBe(0)
    const running = await start(drill('permissions', '--for', '60s'))
    expect((await cli(status)).exitCode).toBe(1)
    await undo()
    await running.end()
    expect((await cli(status)).exitCode).toBe(0)
  })
})
