import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type TargetEnd, TargetGone, TargetProcess } from './child.js'
import { TargetNotStarted } from './start-error.js'

// A process takes a while to start where many tests run at once.
vi.setConfig({ testTimeout: 30_000 })

const started: TargetProcess[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((target) => target.kill()))
})

function fixture(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/misbehaving/${name}.js`, import.meta.url))
}

/** Starts a command; `end` resolves with the end that was told, `ends` holds all of them. */
function start(command: readonly string[], answerMs = 10_000) {
  const ends: TargetEnd[] = []
  let tell: (end: TargetEnd) => void
  const end = new Promise<TargetEnd>((resolve) => {
    tell = resolve
  })
  const target = TargetProcess.start({
    command,
    environment: {},
    cwd: '/',
    answerMs,
    onEnd: (told) => {
      ends.push(told)
      tell(told)
    },
  })
  started.push(target)
  return { target, end, ends }
}

const misbehave = (name: string, answerMs?: number) => start([process.execPath, fixture(name)], answerMs)

const put = (key = 'k', value = 'v') => ({ op: 'put', key, value }) as const

async function goneFrom(request: Promise<unknown>): Promise<TargetGone> {
  const error = await request.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(TargetGone)
  return error as TargetGone
}

describe('a well-behaved target', () => {
  it('says who it is, with the required operations always among its own', async () => {
    const { target } = misbehave('well-behaved')
    expect(await target.hello()).toEqual({
      protocol: 1,
      name: 'misbehaving',
      version: '1',
      ops: ['put', 'get', 'scan'],
    })
  })

  it('answers what was pipelined, values of 64 KiB and of many bytes a character too', async () => {
    const { target } = misbehave('well-behaved')
    const values = Array.from({ length: 500 }, (_, i) => (i % 50 === 0 ? '€'.repeat(21_845) : `v${i}\n"\\`))
    const puts = values.map((value, i) => target.request(put(`k${i}`, value)))
    const gets = values.map((_, i) => target.request({ op: 'get', key: `k${i}` }))
    expect((await Promise.all(puts)).every((response) => response.ok)).toBe(true)
    expect((await Promise.all(gets)).map((response) => response.ok && response.value)).toEqual(values)
  })

  it('is stopped', async () => {
    const { target, ends } = misbehave('well-behaved')
    await target.hello()
    const stopping = target.stop()
    expect((await goneFrom(target.request(put()))).reason).toBe('exit')
    await stopping
    await target.stop()
    await target.kill()
    expect(ends).toEqual([{ action: 'stop', detail: 'exited with code 0' }])
  })

  it('is killed, with all requests under way', async () => {
    const { target, ends } = misbehave('well-behaved')
    await target.hello()
    const request = goneFrom(target.request(put()))
    await target.kill()
    expect((await request).reason).toBe('kill')
    expect(ends).toEqual([{ action: 'kill', detail: 'was ended by SIGKILL' }])
    expect((await goneFrom(target.request(put()))).reason).toBe('kill')
  })
})

describe('a target that says what is not the protocol', () => {
  it.each([
    ['prints-garbage', 'not JSON: "Segmentation fault (not really)"'],
    ['answers-unknown-id', 'an answer to a request that was never made: "{\\"id\\":1001,\\"ok\\":true}"'],
    ['invents-error-kind', 'answer to put: "error.kind" must be one of disk-full, '],
    ['floods-stdout', 'more than 16777216 bytes on stdout without a newline'],
  ])('%s', async (name, detail) => {
    const { target, end, ends } = misbehave(name)
    const gone = await goneFrom(target.request(put()))
    expect(gone.reason).toBe('garbage')
    expect(gone.detail).toContain(detail)
    expect(await end).toEqual({ action: 'garbage', detail: gone.detail })
    expect(ends).toHaveLength(1)
  })

  it('answers-twice', async () => {
    const { target, end } = misbehave('answers-twice')
    expect(await target.request(put())).toMatchObject({ ok: true })
    expect(await end).toEqual({
      action: 'garbage',
      detail: 'a second answer to one request: "{\\"id\\":1,\\"ok\\":true}"',
    })
  })

  it('answers-without-value', async () => {
    const { target, end } = misbehave('answers-without-value')
    expect((await goneFrom(target.request({ op: 'get', key: 'k' }))).reason).toBe('garbage')
    expect((await end).detail).toContain('"value" must be a string, or null')
  })
})

describe('a target that ends by itself', () => {
  it('dies-at-once, with what it said last', async () => {
    const { target, end } = misbehave('dies-at-once')
    const detail = 'exited with code 3; its last words: "error while loading shared libraries"'
    expect((await goneFrom(target.hello())).reason).toBe('exit')
    expect(await end).toEqual({ action: 'crash', detail })
    expect(target.log()).toBe('error while loading shared libraries\n')
  })

  it('exits-mid-request, with code 0', async () => {
    const { target, end } = misbehave('exits-mid-request')
    expect((await goneFrom(target.request(put()))).reason).toBe('exit')
    expect(await end).toEqual({ action: 'crash', detail: 'exited with code 0' })
  })

  it('answers-then-exits: the answer is heard', async () => {
    const { target, end } = misbehave('answers-then-exits')
    expect(await target.request(put())).toMatchObject({ ok: true })
    expect((await end).action).toBe('crash')
  })

  it('answers-then-exits: it is heard when the exit is noticed before the answer was read, too', async () => {
    const [a, b] = [misbehave('answers-then-exits').target, misbehave('answers-then-exits').target]
    await Promise.all([a.hello(), b.hello()])
    const answers: Promise<unknown>[] = []
    // The exit of `a` waits to be noticed; while its answer is taken in, `b` answers and exits, and is noticed with it.
    const first = a.request(put()).then((response) => {
      answers.push(b.request(put()))
      process.nextTick(holdUp, 300)
      return response
    })
    process.nextTick(holdUp, 300)
    expect([await first, await answers[0]]).toMatchObject([{ ok: true }, { ok: true }])
  })

  it('crashes-at-close: that is no stop', async () => {
    const { target, ends } = misbehave('crashes-at-close')
    await target.stop()
    expect(ends).toEqual([{ action: 'crash', detail: 'exited with code 9' }])
  })

  it('leaves-grandchild: nobody waits for the pipes that it holds', async () => {
    const { target, end } = misbehave('leaves-grandchild')
    expect((await goneFrom(target.request(put()))).reason).toBe('exit')
    expect(await end).toEqual({ action: 'crash', detail: 'exited with code 7' })
  })

  it('forks-in-group: what it forked is killed with it', async () => {
    const { target } = misbehave('forks-in-group')
    const response = await target.request({ op: 'get', key: 'k' })
    const grandchild = Number(response.ok && response.value)
    expect(isRunning(grandchild)).toBe(true)
    await target.kill()
    await expect.poll(() => isRunning(grandchild)).toBe(false)
  })
})

describe('a target that does not answer', () => {
  it.each([
    ['hangs-at-open', { op: 'open', dir: '/' }],
    ['hangs-at-put', put()],
    ['ignores-stdin', { op: 'hello' }],
  ] as const)('%s', async (name, request) => {
    const { target, end, ends } = misbehave(name, 300)
    const gone = await goneFrom(target.request(request))
    expect(gone).toMatchObject({ reason: 'timeout', detail: `no answer to ${request.op} within 300 ms` })
    expect(await end).toEqual({ action: 'hang', detail: gone.detail })
    expect(ends).toHaveLength(1)
  })

  it('ignores-stdin, when more is asked than its pipe holds', async () => {
    const { target, end } = misbehave('ignores-stdin', 300)
    const requests = Array.from({ length: 200 }, (_, i) => target.request(put(`k${i}`, 'v'.repeat(65_536))))
    const reasons = (await Promise.all(requests.map(goneFrom))).map((gone) => gone.reason)
    expect(new Set(reasons)).toEqual(new Set(['timeout']))
    expect((await end).action).toBe('hang')
  })

  it('ignores-sigterm and the end of its stdin', async () => {
    const { target, ends } = misbehave('ignores-sigterm', 2000)
    await target.stop()
    expect(ends).toEqual([{ action: 'hang', detail: 'did not exit within 2000 ms of the end of its stdin' }])
  })

  it('is not what a target does whose answer only waited to be read', async () => {
    const { target } = misbehave('well-behaved', 2000)
    await target.hello()
    const answer = target.request(put())
    process.nextTick(holdUp, 2500)
    expect(await answer).toMatchObject({ ok: true })
  })

  it('does not count a slow answer to one request against those asked later', async () => {
    const { target, end } = misbehave('hangs-at-put', 2000)
    await target.hello()
    const answered = target.request({ op: 'get', key: 'k' })
    const hung = goneFrom(target.request(put()))
    expect(await answered).toMatchObject({ ok: true, value: null })
    expect((await hung).detail).toBe('no answer to put within 2000 ms')
    expect((await end).action).toBe('hang')
  })
})

describe('a target that floods its stderr', () => {
  it('is heard all the same, and only the last 64 KiB are kept', async () => {
    const { target } = misbehave('floods-stderr')
    for (let i = 0; i < 100; i++) await target.request(put())
    expect(target.log().length).toBe(65_536)
  })
})

describe('a target that is not there', () => {
  it.each([
    ['/no/such/program', 'ENOENT', "check that '/no/such/program' is there"],
    [fixture('well-behaved'), 'EACCES', 'make it executable (chmod +x'],
  ])('%s: %s', async (program, errno, hint) => {
    const { target, end, ends } = start([program])
    expect(target.pid).toBeUndefined()
    const error = await target.hello().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(TargetNotStarted)
    expect(error).toMatchObject({ errno, exitCode: 2, hint: expect.stringContaining(hint) })
    expect(await end).toEqual({ action: 'not-started', detail: (error as Error).message, error })
    await target.stop()
    await target.kill()
    expect(ends).toHaveLength(1)
  })

  it('an empty command, or one with a zero byte', () => {
    expect(() => start([])).toThrow(TargetNotStarted)
    expect(() => start(['a\0b'])).toThrow(TargetNotStarted)
  })
})

/** Keeps the event loop from turning, while targets go on. */
function holdUp(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** A zombie, which only waits for its parent to look, runs no more. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    // ENOENT: there is no such process.
    return false
  }
}
