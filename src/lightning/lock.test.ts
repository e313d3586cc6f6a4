import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
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

  it.each(['a dead process', 'nobody yet'])('goes to exactly one of two who race for that of %s', (whose) => {
    const dir = freshPath()
    mkdirSync(dir)
    story.plain('race', dir, whose)
  })

  it.each([
    ['another boot', (held: string) => held.replace(/[^-]*$/, '0000')],
    ['a process that had the same id before', (held: string) => held.replace(/^(lock-\d+)-\d+/, '$1-1')],
  ])('of %s does not keep anybody out', async (_, staleOf) => {
    const dir = freshPath()
    const store = await Store.open(dir)
    const stale = staleOf(readdirSync(dir).find((file) => file.startsWith('lock-'))!)
    await store.close()
    renameSync(join(dir, 'lock-free'), join(dir, stale))
    const again = await Store.open(dir)
    expect(again.recovered.staleLock).toBe(stale)
    await again.close()
    expect(readdirSync(dir)).toContain('lock-free')
  })

  it("of another user's process, which may not be signalled, is held", async () => {
    const dir = freshPath()
    const holder = start('hold', dir)
    await lineOf(holder)
    const kill = vi.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error('kill EPERM'), { code: 'EPERM', syscall: 'kill' })
    })
    await expect(Store.open(dir)).rejects.toThrow(LockedError)
    kill.mockRestore()
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
