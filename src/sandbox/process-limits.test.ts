import { spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { expect, test } from 'vitest'
import { OPEN_FILES, openFilesLimit, softLimit } from './process-limits.js'

test('the limit that leaves so many descriptors skips those that are taken', async () => {
  const fd = openSync('/dev/null', 'r')
  // it has 0, 1, 2 and 4
  const child = spawn('sleep', ['1000'], { stdio: ['ignore', 'ignore', 'ignore', 'ignore', fd] })
  closeSync(fd)
  try {
    // until it runs sleep, it has ours, too
    const limits = () => [0, 1, 2].map((leave) => openFilesLimit(child.pid!, leave))
    await expect.poll(limits, { timeout: 10_000 }).toEqual([3, 5, 6])
    expect(softLimit(child.pid!, OPEN_FILES)).toMatch(/^\d+$/)
  } finally {
    child.kill('SIGKILL')
  }
})

test('a process that has ended has none', () => {
  const { pid } = spawnSync('true')
  expect([openFilesLimit(pid, 0), softLimit(pid, OPEN_FILES)]).toEqual([undefined, undefined])
})
