/** What the store does when there is no room. Each chapter runs in a mount namespace, on a small file system. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import {
  ClosedError,
  DiskFullError,
  IoError,
  LockedError,
  Store,
  TooManyFilesError,
} from '../../lightning/index.js'

const [, program, chapter, ...rest] = process.argv as [string, string, string, ...string[]]
const ROOT = '/mnt'
const DIR = join(ROOT, 'db')
const BALLAST = join(ROOT, 'ballast')
const FILLER = 'x'.repeat(1000)
const OPTIONS = { segmentSize: 64 * 1024, reserveSize: 80 * 1024 }

type Model = Map<string, string>

function mountTmpfs(options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', ROOT])
}

/** Takes all room that is left, to the last byte. */
function fillUp(): void {
  const fd = fs.openSync(BALLAST, 'a')
  for (const size of [65536, 4096, 1]) {
    try {
      for (;;) fs.writeSync(fd, Buffer.alloc(size, 1))
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
    }
  }
  fs.closeSync(fd)
}

function dropReserve(): void {
  for (const name of ['reserve-1', 'reserve-2']) fs.rmSync(join(DIR, name), { force: true })
}

function takeInodes(): void {
  for (let i = 0; ; i++) {
    try {
      fs.closeSync(fs.openSync(join(ROOT, `inode-${i}`), 'w'))
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
      return
    }
  }
}

/** Puts until the disk is full; what was acked is in the model. */
async function putUntilFull(store: Store, model: Model, size = 3000): Promise<void> {
  for (let i = 0; ; i++) {
    const key = `k${String(i).padStart(4, '0')}`
    const value = `${i}`.padEnd(size, 'x')
    const error = await store.put(key, value).catch((error: unknown) => error)
    if (error === undefined) {
      model.set(key, value)
      continue
    }
    assert(error instanceof DiskFullError, String(error))
    assert.deepEqual([error.code, error.kind, error.recoverable], ['ENOSPC', 'disk-full', true])
    return
  }
}

/** Fills the disk, and the room that the store has made ready for its next writes. */
async function fillUpWith(store: Store, model: Model): Promise<void> {
  fillUp()
  for (let error: unknown; error === undefined; ) {
    error = await store.put('filler', FILLER).catch((error: unknown) => error)
    if (error === undefined) model.set('filler', FILLER)
    else assert(error instanceof DiskFullError, String(error))
  }
}

async function expectContent(store: Store, model: Model): Promise<void> {
  const found = new Map((await store.scan()).map(([key, value]) => [key, value.toString()]))
  assert.deepEqual(found, new Map([...model].sort()))
}

async function expectFull(work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, DiskFullError)
}

async function reopen(model: Model, options = OPTIONS): Promise<Store> {
  const store = await Store.open(DIR, options)
  assert.equal(store.mode, 'read-write')
  await expectContent(store, model)
  return store
}

const chapters: Record<string, () => Promise<void>> = {
  async 'goes on with reads, deletes and compaction, then with puts'() {
    mountTmpfs('size=1m')
    const model: Model = new Map()
    const store = await Store.open(DIR, OPTIONS)
    await putUntilFull(store, model)
    assert(model.size > 100)
    await expectContent(store, model)
    for (const key of [...model.keys()].filter((_, i) => i % 2 === 0)) {
      await store.delete(key)
      model.delete(key)
    }
    await expectContent(store, model)
    await expectFull(store.put('refused', 'x'.repeat(3000)))
    await store.compact()
    await store.put('resumed', 'x')
    model.set('resumed', 'x')
    await expectContent(store, model)
    assert.deepEqual((await store.verify()).damage, [])
    await store.close()
    await (await reopen(model)).close()
  },

  async 'resumes in place when a neighbour makes room'() {
    mountTmpfs('size=1m')
    const model: Model = new Map([['k', 'v']])
    const store = await Store.open(DIR, OPTIONS)
    await store.put('k', 'v')
    for (let round = 0; round < 5; round++) {
      await fillUpWith(store, model)
      while (store.stats().reserveBytes > 0) await store.delete('nothing'.repeat(100))
      await expectContent(store, model)
      await expectFull(store.put('small', 'x'))
      fs.rmSync(BALLAST)
      await store.put(`round ${round}`, 'x')
      model.set(`round ${round}`, 'x')
    }
    await store.close()
    await (await reopen(model)).close()
  },

  async 'lets small writes through that waited beside a large one'() {
    mountTmpfs('size=1m')
    const before = await Store.open(DIR, OPTIONS)
    await before.put('k', 'v')
    await before.close()
    const store = await reopen(new Map([['k', 'v']]))
    const free = fs.statfsSync(ROOT)
    fs.writeFileSync(BALLAST, Buffer.alloc((free.bfree - 3) * free.bsize, 1))
    const outcomes = await Promise.allSettled([
      store.put('a', '1'),
      store.put('large', 'x'.repeat(50_000)),
      store.put('b', '2'),
    ])
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    await store.close()
    await (
      await reopen(
        new Map([
          ['k', 'v'],
          ['a', '1'],
          ['b', '2'],
        ]),
      )
    ).close()
  },

  async 'opens, twice, after a kill while it was full, with and without the reserve'() {
    mountTmpfs('size=1m,nr_inodes=40')
    const model: Model = new Map([['filler', FILLER]])
    for (let i = 0; i < 20; i++) model.set(`k${i}`, 'v')
    const { signal } = spawnSync(process.execPath, [program, 'die while full'], { encoding: 'utf8' })
    assert.equal(signal, 'SIGKILL')
    takeInodes()
    fillUp()
    for (const hasReserve of [true, true, false, false]) {
      if (!hasReserve) dropReserve()
      if (!hasReserve) fillUp()
      if (!hasReserve) takeInodes()
      const store = await reopen(model)
      fillUp()
      await expectFull(store.put('refused', 'x'.repeat(5000)))
      await store.close()
    }
    fs.rmSync(BALLAST)
    for (const name of fs.readdirSync(ROOT)) if (name.startsWith('inode-')) fs.rmSync(join(ROOT, name))
    const store = await reopen(model)
    await store.put('resumed', 'x')
    await store.close()
  },

  async 'die while full'() {
    const store = await Store.open(DIR, OPTIONS)
    for (let i = 0; i < 20; i++) await store.put(`k${i}`, 'v')
    await fillUpWith(store, new Map())
    process.kill(process.pid, 'SIGKILL')
  },

  async 'goes on in the same segment when no inode is left'() {
    mountTmpfs('size=4m,nr_inodes=12')
    const model: Model = new Map()
    const store = await Store.open(DIR, OPTIONS)
    await store.put('first', 'x')
    takeInodes()
    for (let i = 0; i < 100; i++) {
      await store.put(`k${i}`, 'x'.repeat(2000))
      model.set(`k${i}`, 'x'.repeat(2000))
    }
    assert.equal(store.stats().segments, 1)
    for (let i = 0; i < 90; i++) {
      await store.delete(`k${i}`)
      model.delete(`k${i}`)
    }
    await store.delete('first')
    await store.compact()
    await expectContent(store, model)
    assert(store.stats().bytes < 30_000, `${store.stats().bytes}`)
    await store.close()
    await (await reopen(model)).close()
  },

  async 'refuses to compact without room and reserve, and loses nothing'() {
    mountTmpfs('size=1m')
    const model: Model = new Map()
    const store = await Store.open(DIR, OPTIONS)
    await putUntilFull(store, model)
    for (let i = 0; i < 6; i++) {
      dropReserve()
      fillUp()
    }
    const [key] = model.keys()
    await store.delete(key!).then(
      () => model.delete(key!),
      (error: unknown) => assert(error instanceof DiskFullError),
    )
    await expectFull(store.compact())
    await expectContent(store, model)
    await store.close()
    await (await reopen(model)).close()
  },

  async 'keeps a delete while an older segment that did not fit holds the value'() {
    mountTmpfs('size=1m')
    const options = { ...OPTIONS, reserveSize: 0 }
    let store = await Store.open(DIR, options)
    const model: Model = new Map()
    const put = async (key: string) => {
      await store.put(key, 'x'.repeat(3000))
      model.set(key, 'x'.repeat(3000))
    }
    await store.put('deleted', 'x')
    for (let i = 0; i < 20; i++) await put(`first ${i}`)
    await store.put('replaced', 'x'.repeat(3000))
    for (let i = 0; i < 10; i++) await put(`second ${i}`)
    await store.delete('deleted')
    await put('replaced')
    assert.equal(store.stats().segments, 2)
    await store.close()
    store = await reopen(model, options)
    const { bfree, bsize } = fs.statfsSync(ROOT)
    fs.writeFileSync(BALLAST, Buffer.alloc((bfree - 12) * bsize, 1))
    // Room for the live entries of the second segment, not for those of the first.
    await expectFull(store.compact())
    await expectContent(store, model)
    await store.close()
    await (await reopen(model, options)).close()
  },

  async 'begins on a full disk, and writes once there is room'() {
    mountTmpfs('size=1m')
    fs.mkdirSync(DIR)
    fillUp()
    const store = await Store.open(DIR, OPTIONS)
    await expectFull(store.put('k', 'v'))
    assert.deepEqual(await store.scan(), [])
    fs.rmSync(BALLAST)
    await store.put('k', 'v')
    await store.close()
    await (await reopen(new Map([['k', 'v']]))).close()
  },

  async 'begins read-only where not even the lock has an inode, and writes once there are some'() {
    mountTmpfs('size=1m,nr_inodes=8')
    fs.mkdirSync(DIR)
    takeInodes()
    const store = await Store.open(DIR, OPTIONS)
    assert.equal(store.mode, 'read-only')
    await expectFull(store.put('k', 'v'))
    // what is closed takes no lock any more
    const closed = await Store.open(DIR, OPTIONS)
    await closed.close()
    await assert.rejects(closed.put('k', 'v'), ClosedError)
    for (const name of fs.readdirSync(ROOT)) if (name.startsWith('inode-')) fs.rmSync(join(ROOT, name))
    await assert.rejects(closed.put('k', 'v'), ClosedError)
    await Promise.all([store.put('k', 'v'), store.put('l', 'v')])
    assert.equal(store.mode, 'read-write')
    await assert.rejects(Store.open(DIR, OPTIONS), LockedError)
    await store.close()
    const model = new Map([
      ['k', 'v'],
      ['l', 'v'],
    ])
    await (await reopen(model)).close()
  },

  async 'goes on trying to begin to write, whatever else was in the way meanwhile'() {
    mountTmpfs('size=1m,nr_inodes=8')
    fs.mkdirSync(DIR)
    takeInodes()
    const store = await Store.open(DIR, OPTIONS)
    await expectFull(store.put('k', 'v'))
    for (const name of fs.readdirSync(ROOT)) if (name.startsWith('inode-')) fs.rmSync(join(ROOT, name))
    // somebody else came first
    const other = await Store.open(DIR, OPTIONS)
    await assert.rejects(store.put('k', 'v'), LockedError)
    await other.put('theirs', 'v')
    await other.close()
    // no descriptor is left
    const taken: number[] = []
    execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=64:'])
    try {
      for (;;) taken.push(fs.openSync('/dev/null', 'r'))
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EMFILE')
    }
    await assert.rejects(store.put('k', 'v'), TooManyFilesError)
    for (const fd of taken) fs.closeSync(fd)
    await store.put('k', 'v')
    assert.equal(store.mode, 'read-write')
    await store.close()
    const model = new Map([
      ['k', 'v'],
      ['theirs', 'v'],
    ])
    await (await reopen(model)).close()
  },

  async 'cuts off what fitted, wherever a file may grow no further'() {
    const [dir] = rest as [string]
    const model: Model = new Map([['k', 'v']])
    const limit = (bytes: number | 'unlimited') =>
      execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`])
    let cuts = 0
    let store = await Store.open(dir, OPTIONS)
    for (let cut = 0; cut < 60; cut++) {
      await store.put('k', 'v')
      // without room that was made ready before
      await store.close()
      store = await Store.open(dir, OPTIONS)
      const { segments } = store.stats()
      const active = `${segments}.log`.padStart(14, '0')
      limit(fs.statSync(join(dir, active)).size + cut)
      // One that fits into a new file, and one that fits nowhere.
      await store.put(`k${cut}`, 'v')
      model.set(`k${cut}`, 'v')
      await expectFull(store.put('large', 'x'.repeat(3000)))
      if (store.stats().segments > segments) cuts++
      limit('unlimited')
      await expectContent(store, model)
    }
    assert(cuts > 40, `only ${cuts} frames were cut`)
    await store.close()
    const again = await Store.open(dir, OPTIONS)
    assert.equal(again.recovered.tornTail, undefined)
    await expectContent(again, model)
    await again.close()
  },

  async 'takes no more writes after an fdatasync failed, until it is opened again'() {
    mountTmpfs('size=6m')
    const image = join(ROOT, 'image')
    fs.writeFileSync(image, '')
    fs.truncateSync(image, 64 * 1024 * 1024)
    execFileSync('mkfs.ext4', ['-q', '-O', '^has_journal', image], { stdio: 'ignore' })
    const inner = join(ROOT, 'inner')
    fs.mkdirSync(inner)
    execFileSync('mount', ['-o', 'loop', image, inner])
    try {
      const dir = join(inner, 'db')
      const model: Model = new Map()
      const store = await Store.open(dir, { segmentSize: 4 * 1024 * 1024, reserveSize: 0 })
      fillUp()
      let failure: unknown
      for (let i = 0; failure === undefined && i < 200; i++) {
        const value = 'x'.repeat(100_000)
        failure = await store.put(`k${i}`, value).catch((error: unknown) => error)
        if (failure === undefined) model.set(`k${i}`, value)
      }
      assert(failure instanceof IoError, String(failure))
      await assert.rejects(store.put('later', 'x'), IoError)
      await assert.rejects(store.delete('k0'), IoError)
      await assert.rejects(store.compact(), IoError)
      await assert.rejects(store.sync(), IoError)
      assert.equal(store.mode, 'read-only')
      await expectContent(store, model)
      await store.close()
      fs.rmSync(BALLAST)
      const again = await Store.open(dir, { segmentSize: 4 * 1024 * 1024, reserveSize: 0 })
      assert.equal(again.mode, 'read-write')
      for (const [key, value] of model) assert.equal((await again.get(key))?.toString(), value)
      await again.put('later', 'x')
      await again.close()
    } finally {
      execFileSync('umount', [inner])
    }
  },
}

await chapters[chapter]!()
