/**
 * The process that serves one mount. It is given /dev/fuse as descriptor 3 and its options as its one argument, and does
 * nothing but read requests and write replies until the mount is gone; it ends with that. When it ends first, however that
 * came about, the kernel fails every operation that is under way or comes later.
 */
import { openSync, readSync, writeSync } from 'node:fs'
import { Blocks, Quota } from './blocks.js'
import type { ServerOptions } from './commands.js'
import { Glass } from './glass.js'
import { Helper } from './helper.js'
import { TraceWriter } from './trace.js'

const FUSE = 3

const options = JSON.parse(process.argv[2]!) as ServerOptions
const helper = new Helper(FUSE, options.mountPoint)
const { timeOrigin } = performance
const now = () => timeOrigin + performance.now()
const trace =
  options.trace === undefined
    ? undefined
    : new TraceWriter(options.trace.file, now(), { bytes: options.trace.bytes })

const glass = new Glass({
  blocks: new Blocks(openSync(options.backing, 'wx+', 0o600), new Quota(options.size, options.inodes)),
  owner: options.owner,
  control: options.control,
  trace,
  tell: (notices) => helper.tell(notices),
  wakeAfter: (ms) => helper.wakeAfter(ms),
  now,
})

/** @returns bytes of the next request; undefined where the mount is gone */
function receive(): number | undefined {
  const { bytes } = glass.request
  for (;;) {
    try {
      return readSync(FUSE, bytes, 0, bytes.length, null)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENODEV') return undefined
      // ENOENT: whoever asked has gone meanwhile
      if (code !== 'EINTR' && code !== 'EAGAIN' && code !== 'ENOENT') throw error
    }
  }
}

function send(length: number): void {
  try {
    writeSync(FUSE, glass.reply.bytes, 0, length)
  } catch (error) {
    // nobody waits for it any more
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

for (;;) {
  const received = receive()
  if (received === undefined) break
  const length = glass.handle(received)
  if (length > 0) send(length)
  for (let late = glass.next(); late > 0; late = glass.next()) send(late)
}
trace?.flush()
process.exit(0)
