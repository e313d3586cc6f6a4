import { describe, expect, it } from 'vitest'
import { scenario, trial, trials, violation } from '../testing/results.js'
import { CollectingStream } from '../testing/stream.js'
import { createProgress, type Verbosity } from './progress.js'
import { createScreen } from './screen.js'

function output(environment: Record<string, string>, columns?: number) {
  const stderr = new CollectingStream(columns)
  return { stderr, err: createScreen(environment, { stdout: new CollectingStream(), stderr }).err }
}

const failed = scenario('diskfull/sweep', [...trials(3, 'passed'), trial('failed')])

describe('progress', () => {
  it.each<[string, Record<string, string>, number | undefined]>([
    ['in a pipe', {}, undefined],
    ['in CI', { CI: 'true' }, 80],
    ['on a terminal of no width', {}, 0],
    ['on a dumb terminal', { TERM: 'dumb' }, 80],
  ])('is a plain line for each scenario %s', async (_, environment, columns) => {
    const { stderr, err } = output({ ...environment, NO_COLOR: '1' }, columns)
    const progress = await createProgress(err)
    progress.begin(failed, 4)
    for (const each of failed.trials) progress.trial(each)
    expect(stderr.drained()).toBe('')
    progress.end(failed)
    progress.end(scenario('diskfull/ext4', trials(2, 'skipped', { reason: 'needs\u001b[2J root' }), 'ext4'))
    progress.end(scenario('diskfull/open', [trial('passed'), trial('inconclusive', { reason: 'not met' })]))
    progress.end(scenario('diskfull/xfs', [trial('failed'), trial('error', { reason: 'mount failed' })]))
    progress.stop()
    expect(stderr.drained()).toBe(
      [
        'failed        diskfull/sweep  3 passed, 1 failed',
        'skipped       diskfull/ext4  2 skipped: needs\\x1b[2J root',
        'inconclusive  diskfull/open  1 passed, 1 inconclusive: not met',
        'error         diskfull/xfs  1 failed, 1 error: mount failed',
        '',
      ].join('\n'),
    )
  })

  it('tells each trial when it is asked to, and nothing when it is to be quiet', async () => {
    const results = [
      trial('passed', { index: 3, durationMs: 1250 }),
      trial('failed', { violations: [violation('hung', 'x'), violation('crashed', 'y')] }),
      trial('skipped', { reason: 'needs\nroot' }),
    ]
    const written = async (verbosity: Verbosity) => {
      const { stderr, err } = output({}, undefined)
      const progress = await createProgress(err, verbosity)
      for (const result of results) progress.trial(result)
      progress.events({ scenario: 'a/b', seed: 'cafe', index: 1 }, [
        { type: 'process', time: 12.34, action: 'start', detail: 'mydb 1\u001b[2J' },
        { type: 'invoke', time: 13, id: 1, client: 0, op: { f: 'compact' } },
        { type: 'close', time: 14 },
      ])
      progress.end(scenario('a/b', trials(1, 'passed')))
      progress.stop()
      return stderr.drained()
    }
    const told = [
      'passed        diskfull/sweep 0123456789ab.3  1.3 s',
      'failed        diskfull/sweep 0123456789ab.0  0.1 s: hung, crashed',
      'skipped       diskfull/sweep 0123456789ab.0  0.1 s: needs root',
    ]
    const end = 'passed        a/b  1 passed'
    expect(await written('quiet')).toBe('')
    expect(await written('verbose')).toBe([...told, end, ''].join('\n'))
    expect(await written('debug')).toBe(
      [
        ...told,
        '    12.3 ms  a/b cafe.1  target: start: mydb 1\\x1b[2J',
        '    14.0 ms  a/b cafe.1  target: close',
        end,
        '',
      ].join('\n'),
    )
  })

  it('tells, for --debug, of everything but the operations', async () => {
    const { stderr, err } = output({}, undefined)
    const progress = await createProgress(err, 'debug')
    const fault = { fault: 'ballast', family: 'full', refusals: [], errnos: ['ENOSPC'] } as const
    const error = { code: 'EIO', kind: 'io', recoverable: false, message: 'no\nluck' } as const
    progress.events({ scenario: 'a/b', seed: 'cafe', index: 1 }, [
      { type: 'volume', time: 0, detail: 'tmpfs on /v' },
      { type: 'phase', time: 1, phase: 'faulted' },
      { type: 'round', time: 1.5, number: 3 },
      { type: 'fault', time: 2, action: 'inject', ...fault, detail: '0 bytes free' },
      { type: 'evidence', time: 3, grade: 'probe', errno: 'ENOSPC', count: 1, detail: 'dd' },
      { type: 'ok', time: 4, id: 1 },
      { type: 'process', time: 5, action: 'crash', detail: 'SIGBUS' },
      { type: 'open', time: 6, ok: true, mode: 'read-only' },
      { type: 'open', time: 7, ok: false, error },
      { type: 'resume', time: 8, how: 'never', detail: 'none acked' },
      { type: 'verify', time: 123456.78, action: 'begin' },
    ])
    expect(stderr.drained().replaceAll('  a/b cafe.1', '')).toBe(
      [
        '     0.0 ms  volume: tmpfs on /v',
        "     1.0 ms  the phase 'faulted' begins",
        '     1.5 ms  round 3 begins',
        '     2.0 ms  inject ballast: 0 bytes free',
        '     3.0 ms  evidence of ENOSPC, probe: dd',
        '     5.0 ms  target: crash: SIGBUS',
        '     6.0 ms  target: open, read-only',
        '     7.0 ms  target: open failed: no luck',
        '     8.0 ms  resume, never: none acked',
        '123456.8 ms  read-back: begin',
        '',
      ].join('\n'),
    )
  })

  it('has no live line with --verbose or --debug, nor with --quiet', async () => {
    for (const verbosity of ['verbose', 'debug', 'quiet'] as const) {
      const { stderr, err } = output({ NO_COLOR: '1' }, 60)
      const progress = await createProgress(err, verbosity)
      progress.begin(failed, 4)
      progress.trial(trial('passed'))
      progress.end(failed)
      progress.stop()
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      expect(stderr.drained()).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
    }
  })

  it('is a live line on a terminal, which goes away', async () => {
    const { stderr, err } = output({ NO_COLOR: '1' }, 60)
    const progress = await createProgress(err)
    progress.begin(failed, 4)
    expect(stderr.drained()).toContain('diskfull/sweep  0/4')
    progress.begin({ name: 'diskfull/open' }, 2)
    progress.trial(trial('failed', { scenario: 'diskfull/sweep' }))
    progress.end(failed)
    progress.stop()
    const written = stderr.drained()
    expect(written).toContain('failed        diskfull/sweep  3 passed, 1 failed\n')
    expect(written.endsWith('\u001b[1G\u001b[K')).toBe(true)
    expect(written).not.toContain('\u001b[3')
  })

  it('counts the rounds of a trial on the live line, until it has ended', async () => {
    const { stderr, err } = output({ NO_COLOR: '1' }, 60)
    const progress = await createProgress(err)
    const drawn = () => {
      // the line is drawn when a scenario becomes the one that it is about
      progress.begin({ name: 'diskfull/open' }, 2)
      stderr.drained()
      progress.end(scenario('diskfull/open', []))
      return stderr.drained()
    }
    progress.begin(failed, 4)
    progress.events({ scenario: 'diskfull/sweep', seed: 'cafe', index: 0 }, [
      { type: 'round', time: 1, number: 6 },
      { type: 'round', time: 2, number: 7 },
      { type: 'close', time: 3 },
    ])
    expect(drawn()).toContain('diskfull/sweep  0/4  round 7')
    progress.trial(trial('passed', { scenario: 'diskfull/sweep' }))
    expect(drawn()).toMatch(/diskfull\/sweep {2}1\/4 {2}1 passed(?!.*round)/)
    progress.stop()
  })

  it('says at the end how far the rounds went, in a pipe too', async () => {
    for (const columns of [60, undefined]) {
      const { stderr, err } = output({ NO_COLOR: '1' }, columns)
      const progress = await createProgress(err)
      progress.begin(failed, 4)
      for (const number of [1, 2, 7, 1, 2]) {
        const name = { scenario: 'diskfull/sweep', seed: 'cafe', index: 0 }
        progress.events(name, [{ type: 'round', time: number, number }])
      }
      progress.end(failed)
      progress.stop()
      expect(stderr.drained()).toContain('failed        diskfull/sweep  3 passed, 1 failed, up to round 7\n')
    }
  })

  const expected = { totalMs: 41_000, shareMs: () => 10_000 }

  it('says at the start how long it may take, in few words', async () => {
    const said = async (totalMs: number, verbosity?: Verbosity) => {
      const { stderr, err } = output({})
      await createProgress(err, verbosity, { ...expected, totalMs })
      return stderr.drained()
    }
    expect(await said(41_000)).toBe('about 40 s, from the last run\n')
    expect(await said(120)).toBe('about 1 s, from the last run\n')
    expect(await said(7_400)).toBe('about 7 s, from the last run\n')
    expect(await said(200_000)).toBe('about 3 min, from the last run\n')
    expect(await said(41_000, 'quiet')).toBe('')
    expect(await said(41_000, 'verbose')).toBe('')
  })

  it('says on the live line how long it may still take, as long as it may', async () => {
    const { stderr, err } = output({ NO_COLOR: '1' }, 60)
    const progress = await createProgress(err, 'normal', expected)
    progress.begin(failed, 8)
    expect(stderr.drained()).toContain('diskfull/sweep  0/8  about 40 s left')
    // What the line says is seen when it is drawn, and it is drawn anew for each scenario that begins.
    for (let done = 0; done < 4; done++) progress.trial(trial('passed'))
    progress.end(failed)
    progress.begin({ name: 'diskfull/open' }, 2)
    expect(stderr.drained()).toContain('diskfull/open  0/2  about 1 s left')
    progress.trial(trial('passed', { scenario: 'diskfull/open' }))
    progress.end(scenario('diskfull/open', []))
    progress.begin({ name: 'diskfull/xfs' }, 2)
    expect(stderr.drained()).not.toContain('left')
    progress.stop()
  })
})
