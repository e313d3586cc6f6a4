import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, test } from 'vitest'
import { has, ROOT } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'
import { descendants, processState } from './host/processes.js'
import { aloneIn, prepareLock } from './undo-lock.js'

let state: string
beforeEach(() => {
  state = freshPath()
  mkdirSync(state)
})

/** Somebody who locks a file, and says so. */
function holder(file: string, how: '--exclusive' | '--shared') {
  const other = spawn('flock', ['--no-fork', how, file, 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
  other.stdin.write('.')
  return other
}

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
  prepareLock(state)
  const other = holder(path.join(state, 'undo.lock'), '--exclusive')
  await once(other.stdout, 'data')
  let isKilled = false
  const ours = aloneIn(state, async () => isKilled)
  // as a tool may be: the kernel gives it back
  setTimeout(() => {
    isKilled = true
    other.kill('SIGKILL')
  }, 100)
  expect(await ours).toBe(true)
})

test.skipIf(!has('flock'))('it is waited for in spite of Ctrl-C', async () => {
  prepareLock(state)
  const other = holder(path.join(state, 'undo.lock'), '--exclusive')
  await once(other.stdout, 'data')
  const undo = `import { aloneIn } from '${path.join(ROOT, 'dist/drill/undo-lock.js')}'
process.on('SIGINT', () => {})
console.log('waits')
await aloneIn('${state}', async () => console.log('begins'))`
  const argv = ['--input-type=module', '--eval', undo]
  const tool = spawn(process.execPath, argv, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  tool.stdout.on('data', (chunk) => (said += chunk))
  const waits = () => descendants(new Set([tool.pid!])).map(({ pid }) => processState(pid)?.name)
  await expect.poll(waits).toContain('flock')
  process.kill(-tool.pid!, 'SIGINT')
  await sleep(300)
  expect(said).toBe('waits\n')
  other.kill('SIGKILL')
  await once(tool, 'close')
  expect(said).toBe('waits\nbegins\n')
})

test.skipIf(!has('flock'))('whoever may read the state directory holds nothing up', async () => {
  chmodSync(state, 0o755)
  const other = holder(state, '--shared')
  await once(other.stdout, 'data')
  try {
    expect(await aloneIn(state, async () => readdirSync(state))).toEqual(['undo.lock'])
    expect(statSync(path.join(state, 'undo.lock')).mode & 0o777).toBe(0o600)
  } finally {
    other.kill('SIGKILL')
  }
})

test('where nothing can be locked, it is done all the same', async () => {
  expect(await aloneIn(`${state}/nowhere`, async () => 'done')).toBe('done')
})

test('what it throws comes through, and the next one begins', async () => {
  await expect(aloneIn(state, async () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  expect(await aloneIn(state, async () => 'done')).toBe('done')
})
