import { get } from 'node:http'
import { UsageError } from '../../errors.js'
import type { Probe } from './probe.js'

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** Answers a GET with a status below 400. Of this host only: that is where the fault is. */
export function httpProbe(url: URL, called: string): Probe {
  if (!LOOPBACK.test(url.hostname)) {
    throw new UsageError(`${called}: is not on the loopback of this host`, {
      hint: "ask another host's service by a command: --probe 'curl --fail …'",
    })
  }
  const shown = new URL(url)
  shown.username = ''
  shown.password = ''
  return {
    name: shown.href,
    ask: (timeoutMs) =>
      new Promise((resolve) => {
        const signal = AbortSignal.timeout(timeoutMs)
        const request = get(url, { signal, agent: false }, (response) => {
          response.on('error', (error) => resolve(explain(error)))
          response.on('end', () => {
            const status = response.statusCode ?? 0
            resolve(status < 400 ? undefined : `status ${status}`)
          })
          response.resume()
        })
        const explain = (error: Error) =>
          signal.aborted ? `no answer within ${timeoutMs} ms` : error.message
        request.on('error', (error) => resolve(explain(error)))
      }),
  }
}
