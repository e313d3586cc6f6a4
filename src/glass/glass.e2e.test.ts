/** Glass, mounted for real: what programs make of it, and what becomes of them when it dies. */
import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { cli, ROOT } from '../testing/cli.js'

const TESTING = path.join(ROOT, 'src/testing/glass')
/** Why glass cannot be mounted here; undefined where it can. */
const missing = process.geteuid?.() !== 0 ? 'not root' : canOpen('/dev/fuse') ? undefined : 'no /dev/fuse'
const skip = missing !== undefined

function canOpen(file: string): boolean {
  try {
    accessSync(file, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false // absent, or not ours
  }
}

/** Mounts in namespaces of its own, so that nothing stays behind whatever happens. */
async function mounted(...args: string[]) {
  const namespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const [program, ...rest] = [...namespaces, process.execPath, path.join(TESTING, 'mount.js'), ...args]
  const { stdout, stderr } = await execa(program!, rest, { timeout: 60_000, reject: false })
  return JSON.parse(stdout || JSON.stringify({ stderr })) as Record<string, unknown>
}

test.skipIf(skip)(`glass does what databases want of a file system (${missing ?? 'mounted'})`, async () => {
  const { code, output, left } = await mounted('run', path.join(TESTING, 'posix.py'))
  expect({ code, output, left }).toMatchObject({
    code: 0,
    output: expect.stringContaining('databases'),
    left: [],
  })
})

test.skipIf(skip)(
  'a server that is killed under ten writers leaves nobody waiting, and no dead mount',
  async () => {
    const { codes, stuck, left, failure } = await mounted('kill')
    expect(codes).toEqual([...Array(10).fill(1), expect.stringMatching(/^(ENOTCONN|ECONNABORTED)$/)])
    expect({ stuck, left }).toEqual({ stuck: [], left: [] })
    expect(failure).toMatch('the server of the glass volume failed: it ended with SIGKILL')
  },
)

test.skipIf(skip)(
  'a mapped page that cannot be read or written back fails its program, and no other',
  async () => {
    const { read, readAfter, written, left } = await mounted('pages')
    expect(read).toMatchObject({ signal: 'SIGBUS', output: '' })
    expect(readAfter).toMatchObject({ code: 0, output: 'a\n' })
    expect(written).toMatchObject({ code: 1, output: expect.stringContaining('[Errno 5]') })
    expect(left).toEqual([])
  },
)

test.skipIf(skip)('a repeat ends by itself once each sync has failed', async () => {
  const run = ['run', 'io-error/each-sync', '--trials', '1', '--reporter', 'json', '--debug']
  const { stdout, stderr } = await cli(run)
  const { evidence } = JSON.parse(stdout).scenarios[0]
  expect(evidence.EIO.direct).toBeGreaterThan(1)
  // each round is told as it begins, once-only and from then on; nothing failed in the last of each
  const rounds = [...stderr.matchAll(/round (\d+) begins/g)].map(([, number]) => Number(number))
  const again = rounds.indexOf(1, 1)
  for (const loop of [rounds.slice(0, again), rounds.slice(again)])
    expect(loop).toEqual(Array.from(loop, (_, index) => index + 1))
  expect(rounds.length).toBeLessThanOrEqual(evidence.EIO.direct + 2)
  // one power cut a round, and one round that nothing failed in
  const cuts = evidence['power-cut'].direct
  expect(cuts).toBeGreaterThan(2)
  expect(cuts).toBeLessThan(60)
})
