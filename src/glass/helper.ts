/**
 * A thread beside the server's loop, for what the loop cannot do without waiting for itself: the kernel may need an
 * answer of ours before it forgets something, and while the loop waits for a request no timer of its own runs. The thread
 * wakes the loop with a request like any other, statfs(2) on the mount. It is started when first needed.
 */
import { Worker } from 'node:worker_threads'
import type { Change, Inode } from './inode.js'
import { NOTIFY, REPLY_HEADER } from './protocol.js'

export type HelperMessage = { readonly notices: readonly Uint8Array[] } | { readonly wakeAfterMs: number }

export interface HelperData {
  readonly fd: number
  readonly mountPoint: string
  /** How many lists of notices the kernel was told. */
  readonly told: Int32Array
}

const THREAD = new URL('./helper-thread.js', import.meta.url)

export class Helper {
  readonly #data: HelperData
  #worker: Worker | undefined
  #lists = 0

  /** @param fd /dev/fuse; @param mountPoint where the file system is mounted */
  constructor(fd: number, mountPoint: string) {
    const told = new Int32Array(new SharedArrayBuffer(4))
    this.#data = { fd, mountPoint, told }
  }

  /** Tells the kernel. @returns whether it has been told, to be asked later */
  tell(notices: readonly Uint8Array[]): () => boolean {
    this.#lists += 1
    const mine = this.#lists
    this.#say({ notices })
    return () => Atomics.load(this.#data.told, 0) >= mine
  }

  /** Has the loop look at what is due. */
  wakeAfter(ms: number): void {
    // timers count whole milliseconds, and a wake that comes too early is for nothing
    this.#say({ wakeAfterMs: Math.ceil(ms) + 1 })
  }

  #say(message: HelperMessage): void {
    this.#worker ??= new Worker(THREAD, { workerData: this.#data })
    this.#worker.postMessage(message)
  }
}

/** Attributes and pages of an inode: fuse_notify_inval_inode_out, from 0 to the end. */
export function inodeNotice({ number }: Inode): Buffer {
  const notice = begin(NOTIFY.invalidateInode, 24)
  notice.writeBigUInt64LE(BigInt(number), REPLY_HEADER)
  return notice
}

/** What a name leads to, or that it leads nowhere: fuse_notify_inval_entry_out. */
export function entryNotice({ directory, name }: Pick<Change, 'directory' | 'name'>): Buffer {
  const notice = begin(NOTIFY.invalidateEntry, 16 + name.length + 1)
  notice.writeBigUInt64LE(BigInt(directory.number), REPLY_HEADER)
  notice.writeUInt32LE(name.length, REPLY_HEADER + 8)
  notice.write(name, REPLY_HEADER + 16, 'latin1')
  return notice
}

function begin(code: number, length: number): Buffer {
  const notice = Buffer.alloc(REPLY_HEADER + length)
  notice.writeUInt32LE(notice.length, 0)
  notice.writeInt32LE(code, 4)
  return notice
}
