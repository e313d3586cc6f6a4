/**
 * A thread beside the server's loop, for what the loop cannot do without waiting for itself: the kernel may need an
 * answer of ours before it forgets something, and while the loop waits for a request no timer of its own runs. The thread
 * wakes the loop with a request like any other, statfs(2) on the mount. It is started when first needed.
 */
import { Worker } from 'node:worker_threads'

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
