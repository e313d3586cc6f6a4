import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, test } from 'vitest'
import { has } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'
import { aloneIn } from './undo-lock.js'

let state: string
beforeEach(() => {
  state = freshPath()
  mkdirSync(state)
})

test.skipIf(!has('flock'))('of two at once, one begins when the other has ended', async () => {
  const said: string[] = []
  const one = (name: string) =>
    aloneIn(state, async () => {
      said.push(`${name} begins`)
      await sleep(100)
      said.push(`${name} ends`)
    })
  await Promise.all([one('a'), one('b'), one('c')])
  const names = said.filter((line) => line.endsWith('begins')).map((line) => line.slice(0, 1))
  expect(said).toEqual(names.flatMap((name) => [`${name} begins`, `${name} ends`]))
})

test.skipIf(!has('flock'))('it is held while somebody else has it', async () => {
  const other = spawn('flock', ['--exclusive', state, 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
  other.stdin.write('.')
  await once(other.stdout, 'data')
  let isEnded = false
  other.once('exit', () => {
    isEnded = true
  })
  const ours = aloneIn(state, async () => isEnded)
  // killed, as a tool may be: the kernel gives it back
  setTimeout(() => other.kill('SIGKILL'), 100)
  other.stdin.destroy()
  expect(await ours).toBe(true)
})

test('where nothing can be locked, it is done all the same', async () => {
  expect(await aloneIn(`${state}/nowhere`, async () => 'done')).toBe('done')
})

test('what it throws comes through, and the next one begins', async () => {
  await expect(aloneIn(state, async () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  expect(await aloneIn(state, async () => 'done')).toBe('done')
})
