import { expect, test } from 'vitest'
import { TimedLog } from './timed-log.js'

function logOf(limit: number, chunks: readonly (readonly [time: number, bytes: string | Buffer])[]): string {
  let now = 0
  const log = new TimedLog(limit, () => now)
  for (const [time, bytes] of chunks) {
    now = time
    log.push(Buffer.from(bytes))
  }
  return log.toString()
}

test('every line has the time at which it began', () => {
  expect(
    logOf(100, [
      [1.5, 'one\ntwo'],
      [350.8, ' goes on\n\nfour'],
      [61_000, '\n'],
    ]),
  ).toBe('[    0.0015] one\n[    0.0015] two goes on\n[    0.3508] \n[    0.3508] four\n')
})

test('a character that comes in two pieces stays whole', () => {
  const [first, second] = [Buffer.from('ö').subarray(0, 1), Buffer.from('ö').subarray(1)]
  expect(
    logOf(100, [
      [0, first],
      [1, second],
    ]),
  ).toBe('[    0.0000] ö\n')
})

test('the last bytes are kept, however they come', () => {
  const flood = Array.from({ length: 1000 }, (_, n) => [n, n % 10 === 9 ? '\n' : String(n % 10)] as const)
  expect(logOf(15, flood)).toBe('[    0.9850] 5678\n[    0.9900] 012345678\n')
  expect(logOf(4, [[7, 'a long line\nend']])).toBe('[    0.0070] \n[    0.0070] end\n')
  expect(logOf(4, [])).toBe('')
})
