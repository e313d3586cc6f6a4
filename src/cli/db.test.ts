import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.js'
import { freshPath } from '../testing/directory.js'
import { db } from './db.js'

/** Runs a command; what it wrote and its exit code. */
async function run(dir: string, command: string, ...args: string[]) {
  let out = ''
  let err = ''
  const code = await db(dir, command, args, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
  })
  return { code, out, err }
}

describe('db', () => {
  it('puts, gets, deletes, scans and compacts', async () => {
    const dir = freshPath()
    expect(await run(dir, 'put', 'b', 'two')).toEqual({ code: 0, out: '', err: '' })
    await run(dir, 'put', 'a', '1\n')
    expect(await run(dir, 'get', 'b')).toEqual({ code: 0, out: 'two\n', err: '' })
    expect((await run(dir, 'scan')).out).toBe('["a","1\\n"]\n["b","two"]\n')
    expect((await run(dir, 'scan', 'a')).out).toBe('["b","two"]\n')
    await run(dir, 'delete', 'b')
    expect(await run(dir, 'get', 'b')).toEqual({ code: 1, out: '', err: 'no such key: b\n' })
    expect((await run(dir, 'compact')).out).toMatch(/^\d+ bytes before, \d+ after\n$/)
    expect(JSON.parse((await run(dir, 'stats')).out)).toMatchObject({ keys: 1 })
    expect(await run(dir, 'verify')).toMatchObject({ code: 0, err: '' })
  })

  it('lists damage with exit code 1, and salvages around it', async () => {
    const dir = freshPath()
    await run(dir, 'put', 'a', 'first')
    await run(dir, 'put', 'b', 'second')
    const file = join(dir, '0000000001.log')
    const bytes = readFileSync(file)
    bytes[bytes.indexOf('first')]! ^= 1
    writeFileSync(file, bytes)
    const verified = await run(dir, 'verify')
    expect(verified.code).toBe(1)
    expect(verified.out).toContain(`damage: ${file}, byte 80`)
    expect(await run(dir, 'get', 'b')).toMatchObject({ code: 1, err: expect.stringContaining(file) })
    const to = freshPath()
    expect(await run(dir, 'salvage', to)).toMatchObject({ code: 1 })
    expect((await run(to, 'scan')).out).toBe('["b","second"]\n')
  })

  it('says what is wrong with the command line or the directory', async () => {
    const dir = freshPath()
    await expect(run(dir, 'toString')).rejects.toThrow(UsageError)
    await expect(run(dir, 'get')).rejects.toThrow(UsageError)
    await expect(run(dir, 'stats', 'extra')).rejects.toThrow(UsageError)
    expect(await run(dir, 'get', 'a')).toMatchObject({ code: 1, err: expect.stringContaining(dir) })
  })
})
