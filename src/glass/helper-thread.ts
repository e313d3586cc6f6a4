/** The thread of helper.ts. */
import { statfsSync, writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import type { HelperData, HelperMessage } from './helper.js'

const { fd, mountPoint, told } = workerData as HelperData

function wake(): void {
  try {
    statfsSync(mountPoint)
  } catch (error) {
    ignore(error, ['ENOTCONN', 'ECONNABORTED', 'ENOENT']) // it is over, and nobody waits for anything
  }
}

function tell(notice: Uint8Array): void {
  try {
    writeSync(fd, notice)
  } catch (error) {
    ignore(error, ['ENOENT', 'ENOTCONN', 'ENODEV', 'ENOTDIR', 'ENOTEMPTY']) // it kept nothing of that
  }
}

function ignore(error: unknown, codes: readonly string[]): void {
  if (!codes.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
}

parentPort!.on('message', (message: HelperMessage) => {
  if ('wakeAfterMs' in message) {
    setTimeout(wake, message.wakeAfterMs)
    return
  }
  for (const notice of message.notices) tell(notice)
  Atomics.add(told, 0, 1)
  wake()
})
