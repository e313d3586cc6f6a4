import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { freshPath } from '../testing/directory.js'
import { compileStory } from '../testing/lightning/story.js'
import { LockedError, Store } from './index.js'

const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** The next line that a child writes. */
function lineOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout!.once('data', (line: Buffer) => resolve(line.toString().trim()))
    child.once('exit', (status) => reject(new Error(`exit ${status}`)))
  })
}

describe('the lock', () => {
  const story = compileStory('lock-holder')

  function start(...args: string[]): ChildProcess {
    const child = spawn(process.execPath, [story.program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    return child
  }

  it('keeps others out while its holder lives, and nobody after a kill -9', async () => {
    const dir = freshPath()
    const holder = start('hold', dir)
    await lineOf(holder)
    const error = await Store.open(dir).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(LockedError)
    expect(error).toMatchObject({ kind: 'busy', recoverable: true })
    expect((error as LockedError).message).toContain(String(holder.pid))
    const dead = new Promise((resolve) => holder.once('exit', resolve))
    holder.kill('SIGKILL')
    await dead
    const store = await Store.open(dir)
    expect(store.recovered.staleLock).toContain(`lock-${holder.pid}-`)
    expect((await store.get('k'))?.toString()).toBe('v')
    await store.close()
  }, 30_000)

  it.each(['a dead process', 'nobody yet'])(
    'goes to exactly one of many who race for that of %s',
    async (whose) => {
      for (let round = 0; round < 2; round++) {
        const dir = freshPath()
        mkdirSync(dir)
        if (whose === 'a dead process') writeFileSync(join(dir, 'lock-1-1-0-00000000'), '')
        const gate = `${dir}-gate`
        const racers = Array.from({ length: 4 }, () => start('race', dir, gate))
        await Promise.all(racers.map(lineOf))
        const outcomes = Promise.all(racers.map(lineOf))
        writeFileSync(gate, '')
        expect((await outcomes).filter((outcome) => outcome === 'won')).toEqual(['won'])
        for (const racer of racers) racer.stdin!.end()
      }
    },
    60_000,
  )

  it.each([
    ['another boot', (pid: number) => `lock-${pid}-1-0-00000000-dead`],
    ['a process that had the same id before', (pid: number, boot: string) => `lock-${pid}-1-0-${boot}`],
  ])('of %s does not keep anybody out', async (_, name) => {
    const dir = freshPath()
    const store = await Store.open(dir)
    const held = readdirSync(dir).find((file) => file.startsWith('lock-'))!
    const boot = held.split('-').slice(4).join('-')
    await store.close()
    const stale = name(process.ppid, boot)
    renameSync(join(dir, 'lock-free'), join(dir, stale))
    const again = await Store.open(dir)
    expect(again.recovered.staleLock).toBe(stale)
    await again.close()
    expect(readdirSync(dir)).toContain('lock-free')
  })

  it('is made again where somebody removed it', async () => {
    const dir = freshPath()
    await (await Store.open(dir)).close()
    rmSync(join(dir, 'lock-free'))
    const store = await Store.open(dir)
    await expect(Store.open(dir)).rejects.toThrow(LockedError)
    await store.close()
  })
})
