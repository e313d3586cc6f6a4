import { describe, expect, it } from 'vitest'
import { scenario, trial, trials } from '../testing/results.js'
import { CollectingStream } from '../testing/stream.js'
import { createProgress } from './progress.js'
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
})
