/**
 * One writer at a time. The lock is an empty file whose *name* says who holds it: `lock-free`, or
 * `lock-PID-START-NONCE-BOOT` (process id, its start time in clock ticks since boot, something random, id of the boot;
 * see proc(5)). A rename
 * takes it, and succeeds for exactly one of those who try, because it names the holder that it replaces: a
 * compare-and-swap. So a stale lock is taken over without a race, and a full disk does not matter, because neither
 * a block nor an inode is needed. Without /proc only the process id tells a dead holder, and a process that
 * got the same id again keeps others out until it ends.
 */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import { LockedError } from './errors.js'
import { closeFile } from './files.js'

const FREE = 'lock-free'
const NAME = /^lock-(?:free|(?<pid>\d+)-(?<start>\d+)-[0-9a-f]+-(?<boot>[0-9a-f-]*))$/
const ATTEMPTS = 50

/** Locks of this process that could not be given back: the directory permitted no rename. Nobody holds them. */
const abandoned = new Set<string>()

export class Lock {
  /** Name of the dead holder from whom the lock was taken over. */
  readonly takenFrom: string | undefined
  readonly #dir: string
  readonly #name: string

  private constructor(dir: string, name: string, takenFrom: string | undefined) {
    this.#dir = dir
    this.#name = name
    this.takenFrom = takenFrom
  }

  /** @throws LockedError where a living process holds it; the system's error where the directory permits none */
  static acquire(dir: string): Lock {
    const nonce = randomBytes(4).toString('hex')
    const mine = `lock-${process.pid}-${startOf(process.pid)?.start ?? 0}-${nonce}-${bootId()}`
    let takenFrom: string | undefined
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const found = locksIn(dir)
      const holder = found.find(isHeld)
      if (holder !== undefined) throw lockedBy(dir, holder)
      try {
        if (found[0] === undefined) closeFile(fs.openSync(join(dir, mine), 'wx'))
        else fs.renameSync(join(dir, found[0]), join(dir, mine))
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT' || code === 'EEXIST') continue
        throw error
      }
      if (found[0] !== undefined && found[0] !== FREE) takenFrom = found[0]
      const lock = new Lock(dir, mine, takenFrom)
      try {
        if (settle(dir, mine)) return lock
      } catch (error) {
        lock.release()
        throw error
      }
      pause()
    }
    throw new LockedError('ELOCKED', `${dir} is being opened by several processes at once`)
  }

  release(): void {
    try {
      fs.renameSync(join(this.#dir, this.#name), join(this.#dir, FREE))
    } catch {
      // The next one takes it over: this process knows that it is free, and others will when this one has ended.
      abandoned.add(this.#name)
    }
  }
}

/**
 * Where no lock was there, several may have made one each. Whoever then sees the lock of another that lives
 * withdraws; of two, the later to look sees the earlier, so never do two stay.
 */
function settle(dir: string, mine: string): boolean {
  for (const other of locksIn(dir)) {
    if (other === mine) continue
    if (isHeld(other)) {
      fs.rmSync(join(dir, mine), { force: true })
      return false
    }
    fs.rmSync(join(dir, other), { force: true })
  }
  return true
}

function locksIn(dir: string): string[] {
  return fs.readdirSync(dir).filter((name) => NAME.test(name))
}

function isHeld(name: string): boolean {
  const holder = NAME.exec(name)?.groups
  if (holder?.pid === undefined || abandoned.has(name)) return false
  const boot = bootId()
  if (boot !== '' && holder.boot !== '' && boot !== holder.boot) return false
  const pid = Number(holder.pid)
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const process_ = startOf(pid)
  if (process_ === undefined) return true
  return !process_.isDead && (holder.start === '0' || process_.start === holder.start)
}

/** Start time of a process, and whether it is a zombie; undefined without /proc or where it hides the process. */
function startOf(pid: number): { readonly start: string; readonly isDead: boolean } | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { start: fields[19]!, isDead: fields[0] === 'Z' || fields[0] === 'X' }
  } catch {
    return undefined // no /proc, or mounted with hidepid
  }
}

function bootId(): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    return '' // no /proc
  }
}

function lockedBy(dir: string, name: string): LockedError {
  return new LockedError('ELOCKED', `${dir} is open for writing in process ${NAME.exec(name)?.groups?.pid}`)
}

/** A few milliseconds, not the same for everybody, so that two who withdrew do not meet again. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1 + Math.random() * 10)
}
