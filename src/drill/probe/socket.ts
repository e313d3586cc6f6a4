/** Probes that speak the first words of a protocol over TCP, and need no client library for that. */
import { connect, type Socket } from 'node:net'
import type { Probe } from './probe.js'

/** Asks by one exchange: what is sent, and what an answer means. */
export interface Exchange {
  readonly send: Buffer
  /** @returns undefined where the service works, else why not; 'more' where the answer is not complete yet */
  judge(answer: Buffer): 'more' | { readonly wrong?: string }
}

/** The port takes connections. */
export function tcpProbe(url: URL): Probe {
  return {
    name: `tcp://${url.host}`,
    ask: (timeoutMs) => converse(url, Number(url.port), undefined, timeoutMs),
  }
}

/**
 * @param exchange where it is absent, being connected is enough
 * @returns undefined where the service works, else why not
 */
export function converse(
  url: URL,
  port: number,
  exchange: Exchange | undefined,
  timeoutMs: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ''), port })
    const settle = (answer: string | undefined) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(() => settle(`no answer within ${timeoutMs} ms`), timeoutMs)
    let answer = Buffer.alloc(0)
    socket.on('error', (error) => settle(error.message))
    socket.on('connect', () => (exchange === undefined ? settle(undefined) : socket.write(exchange.send)))
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk])
      const judged = exchange!.judge(answer)
      if (judged !== 'more') settle(judged.wrong)
    })
    socket.on('close', () => settle('the connection was closed'))
  })
}
