/**
 * One drill at a time of a file system, and of a process, whatever their state directories: two that put back what each of
 * them found would leave the fault of the other. A claim is a name of an abstract socket (unix(7)), which only one can have,
 * and which goes with the process that has it. It is seen in its network namespace.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { RefusedError } from './errors.js'
import type { DrillPlan } from './plan.js'

/** @returns what gives the claims back. @throws RefusedError where another drill has one of them */
export async function claim(plan: DrillPlan): Promise<() => void> {
  const servers: Server[] = []
  const release = () => {
    for (const server of servers) server.close()
  }
  for (const [key, words] of targetsOf(plan)) {
    const server = createServer((socket) => socket.destroy()).unref()
    try {
      await once(server.listen(`\0lightning-chaos/${key}`), 'listening')
      servers.push(server)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') continue // where there are no sockets, a drill is better than none
      release()
      throw new RefusedError(`another drill is at work on ${words}`, {
        hint: "it has just begun, or has another state directory: 'lightning-chaos drill status --state DIRECTORY' shows it",
      })
    }
  }
  return release
}

function targetsOf({ place, processes }: DrillPlan): (readonly [key: string, words: string])[] {
  if (place !== undefined) return [[`device/${place.device}`, `the file system of ${place.path}`]]
  return processes.map(({ pid, start, name }) => [`process/${pid}.${start}`, `${name} (${pid})`])
}
