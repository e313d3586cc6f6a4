/** Whatever a target does, the tool says what was wrong with it, and never hangs. */
import path from 'node:path'
import { expect, test } from 'vitest'
import type { JsonReport } from '../report/json.js'
import { cli, ROOT } from '../testing/cli.js'

/** Only what hangs has to be waited for; of the others none may be taken for hung because the machine is busy. */
const limits = (hangs: boolean) => ['--timeout', hangs ? '2s' : '20s', '--resume-timeout', '200ms']

// what most of them do is to let us wait
test.concurrent.each<[fixture: string, found: string]>([
  ['answers-then-exits', 'crashed: the target ended by itself, before any fault: exited with code 1'],
  [
    'answers-twice',
    'wrong-error: the target answered with something that is not the protocol, before any fault: a second answer',
  ],
  [
    'answers-unknown-id',
    'wrong-error: the target answered with something that is not the protocol, before any fault: an answer to a request that was never made',
  ],
  ['answers-without-value', 'lost-write: '],
  [
    'dies-at-once',
    'crashed: the target ended by itself, before any fault: exited with code 3; its last words: "error while loading shared libraries"',
  ],
  ['exits-mid-request', 'crashed: the target ended by itself, before any fault: exited with code 0'],
  ['floods-stderr', 'lost-write: '],
  [
    'floods-stdout',
    'wrong-error: the target answered with something that is not the protocol, before any fault: not JSON: ',
  ],
  ['forks-in-group', 'corrupt-read: '],
  [
    'hangs-at-open',
    'hung: the target did not answer in time, before any fault: no answer to open within 2000 ms',
  ],
  [
    'hangs-at-put',
    'hung: the target did not answer in time, before any fault: no answer to put within 2000 ms',
  ],
  [
    'ignores-stdin',
    'hung: the target did not answer in time, before any fault: no answer to hello within 2000 ms',
  ],
  ['ignores-sigterm', 'lost-write: '],
  [
    'invents-error-kind',
    'wrong-error: the target answered with something that is not the protocol, before any fault: answer to put: "error.kind" must be one of ',
  ],
  ['leaves-grandchild', 'crashed: the target ended by itself, before any fault: exited with code 7'],
  [
    'prints-garbage',
    'wrong-error: the target answered with something that is not the protocol, before any fault: not JSON: "Segmentation fault (not really)"',
  ],
])('%s', async (fixture, found) => {
  const target = `node ${path.join(ROOT, 'fixtures/misbehaving', fixture)}.js {dir}`
  const args = ['run', 'diskfull/neighbour', '--trials', '1', '--reporter', 'json', '--target-cmd', target]
  const { exitCode, stdout } = await cli([...args, ...limits(found.startsWith('hung'))])
  const { scenarios } = JSON.parse(stdout) as JsonReport
  const violations = scenarios[0]!.violations.map(({ kind, summary }) => `${kind}: ${summary}`)
  expect({ exitCode, failed: scenarios[0]!.failed }).toEqual({ exitCode: 1, failed: 1 })
  expect(
    violations.some((each) => each.startsWith(found)),
    violations.join('\n'),
  ).toBe(true)
})

test('a trial that takes longer than it may is ended, and says which option gives it more', async () => {
  const target = `node ${path.join(ROOT, 'fixtures/misbehaving/hangs-at-put.js')}`
  const args = ['run', 'diskfull/neighbour', '--trials', '1', '--trial-timeout', '1s', '--target-cmd', target]
  const { exitCode, stdout } = await cli(args)
  expect(exitCode).toBe(1)
  expect(stdout).toContain('the trial did not end within 1000 ms (--trial-timeout), and was killed')
})
