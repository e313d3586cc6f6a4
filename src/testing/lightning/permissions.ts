/**
 * What the store does when it may not write. Each chapter runs without capabilities, as a user whom permissions
 * bind, on a directory of its own; what needs root is asked of the test by a line on stdout.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import { LightningError, PermissionError, ReadOnlyError, Store } from '../../lightning/index.js'

const [, , chapter, dir] = process.argv as [string, string, string, string]
const OPTIONS = { segmentSize: 4096, reserveSize: 8192 }

/** Asks the test to do something as root, and waits until it did. */
function ask(what: string): void {
  fs.writeSync(1, `${what}\n`)
  fs.readSync(0, Buffer.alloc(16))
}

function chmodAll(mode: number): void {
  for (const name of fs.readdirSync(dir)) fs.chmodSync(join(dir, name), mode)
}

async function content(store: Store): Promise<string[]> {
  return (await store.scan()).map(([key, value]) => `${key}=${value}`)
}

/** A store with two keys and several segments; closed. */
async function prepare(): Promise<void> {
  const store = await Store.open(dir, OPTIONS)
  for (let i = 0; i < 40; i++) await store.put('a', `${i}`.padEnd(500, '.'))
  await store.put('a', '1')
  await store.put('b', '2')
  await store.close()
}

const CONTENT = ['a=1', 'b=2']

/** Opens read-only by itself, reads, refuses every write; writes nothing. */
async function expectFallback(): Promise<void> {
  const before = fs.readdirSync(dir)
  const store = await Store.open(dir, OPTIONS)
  assert.equal(store.mode, 'read-only')
  assert(store.readOnlyBecause instanceof LightningError)
  assert.deepEqual(await content(store), CONTENT)
  for (const write of [() => store.put('a', 'x'), () => store.delete('a'), () => store.compact()]) {
    await assert.rejects(write(), (error) => error instanceof ReadOnlyError && error.kind === 'read-only')
  }
  assert.deepEqual((await store.verify()).damage, [])
  await store.close()
  assert.deepEqual(fs.readdirSync(dir), before)
}

async function expectWritable(expected = CONTENT): Promise<void> {
  const store = await Store.open(dir, OPTIONS)
  assert.equal(store.mode, 'read-write')
  assert.deepEqual(await content(store), expected)
  await store.put('c', '3')
  await store.compact()
  assert.deepEqual(await content(store), [...expected, 'c=3'])
  await store.close()
}

/** Writes until one is refused: as PermissionError, with all later ones ReadOnlyError. Reads go on. */
async function writeUntilRefused(store: Store): Promise<void> {
  let refusal: unknown
  for (let i = 0; refusal === undefined && i < 200; i++) {
    refusal = await store.put('a', `${i}`.padEnd(500, '.')).catch((error: unknown) => error)
  }
  assert(refusal instanceof PermissionError, String(refusal))
  assert.equal(store.mode, 'read-only')
  await assert.rejects(store.put('a', 'x'), ReadOnlyError)
  await assert.rejects(store.delete('a'), ReadOnlyError)
  assert.equal((await store.get('b'))?.toString(), '2')
}

const chapters: Record<string, () => Promise<void>> = {
  async 'opens files that are 0444 to read'() {
    await prepare()
    chmodAll(0o444)
    await expectFallback()
    chmodAll(0o644)
    await expectWritable()
  },

  async 'opens a directory that is 0555 to read'() {
    await prepare()
    fs.chmodSync(dir, 0o555)
    await expectFallback()
    fs.chmodSync(dir, 0o755)
    await expectWritable()
  },

  async 'opens a directory that is 0555 with files that are 0444 to read'() {
    await prepare()
    chmodAll(0o444)
    fs.chmodSync(dir, 0o555)
    await expectFallback()
    fs.chmodSync(dir, 0o755)
    chmodAll(0o644)
    await expectWritable()
  },

  async 'says so where not even reading is permitted'() {
    await prepare()
    for (const mode of [0o000, 0o444, 0o333]) {
      fs.chmodSync(dir, mode)
      await assert.rejects(Store.open(dir, OPTIONS), PermissionError)
      await assert.rejects(Store.open(dir, { readOnly: true }), PermissionError)
    }
    fs.chmodSync(dir, 0o755)
    chmodAll(0o000)
    await assert.rejects(Store.open(dir, OPTIONS), PermissionError)
    chmodAll(0o644)
    await expectWritable()
    await assert.rejects(Store.open('/proc/1/none', OPTIONS), LightningError)
  },

  async 'turns read-only where a rotation is not permitted'() {
    await prepare()
    const store = await Store.open(dir, OPTIONS)
    fs.chmodSync(dir, 0o555)
    await writeUntilRefused(store)
    await store.close()
    fs.chmodSync(dir, 0o755)
    const again = await Store.open(dir, OPTIONS)
    assert.equal(again.mode, 'read-write')
    await again.put('a', '1')
    await again.close()
    await expectWritable()
  },

  async 'turns read-only where a compaction is not permitted'() {
    await prepare()
    const store = await Store.open(dir, OPTIONS)
    fs.chmodSync(dir, 0o555)
    await assert.rejects(store.compact(), PermissionError)
    assert.equal(store.mode, 'read-only')
    await assert.rejects(store.put('a', 'x'), ReadOnlyError)
    assert.deepEqual(await content(store), CONTENT)
    await store.close()
    fs.chmodSync(dir, 0o755)
    await expectWritable()
  },

  async 'reads on when the directory becomes 000'() {
    await prepare()
    const store = await Store.open(dir, OPTIONS)
    fs.chmodSync(dir, 0o000)
    assert.deepEqual(await content(store), CONTENT)
    await assert.rejects(store.compact(), PermissionError)
    assert.deepEqual(await content(store), CONTENT)
    await assert.rejects(store.verify(), PermissionError)
    await store.close()
    fs.chmodSync(dir, 0o755)
    await expectWritable()
  },

  async 'turns read-only when its open file becomes immutable'() {
    await prepare()
    const store = await Store.open(dir, OPTIONS)
    ask('chattr +i')
    await writeUntilRefused(store)
    await store.close()
    await expectFallback()
    ask('chattr -i')
    await expectWritable()
  },

  async 'turns read-only where the room in its file cannot be given back'() {
    await prepare()
    const store = await Store.open(dir, OPTIONS)
    await store.put('a', '1')
    ask('chattr +i')
    // it seals the segment first, and cuts it off where its last commit ends
    await assert.rejects(store.compact(), PermissionError)
    await assert.rejects(store.put('a', 'x'), ReadOnlyError)
    assert.deepEqual(await content(store), CONTENT)
    await store.close()
    ask('chattr -i')
    await expectWritable()
  },

  async 'opens files of another owner to read'() {
    await prepare()
    ask('chown 0')
    await expectFallback()
    ask('chown back')
    await expectWritable()
  },

  async 'opens a file system that is mounted read-only to read'() {
    const mount = (options: string) => execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', dir])
    mount('size=1m')
    await prepare()
    mount('remount,ro')
    await expectFallback()
    mount('remount,rw')
    await expectWritable()
  },
}

await chapters[chapter]!()
