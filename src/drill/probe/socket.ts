/** Probes that speak the first words of a protocol over TCP, and need no client library for that. */
import { connect, type Socket } from 'node:net'
import type { Probe } from './probe.js'

/** Asks by one exchange: what is sent, and what an answer means. */
interface Exchange {
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

/** Answers PING, after AUTH where the URL has a password: redis.io/docs/reference/protocol-spec. */
export function redisProbe(url: URL): Probe {
  const words = (...parts: string[]) =>
    `*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`
  const password = decodeURIComponent(url.password)
  const user = decodeURIComponent(url.username)
  const auth = password === '' ? '' : words('AUTH', ...(user === '' ? [] : [user]), password)
  const lines = password === '' ? 1 : 2
  const exchange: Exchange = {
    send: Buffer.from(auth + words('PING')),
    judge(answer) {
      const found = answer.toString('latin1').split('\r\n')
      const error = found.find((line) => line.startsWith('-'))
      if (error !== undefined && found.length > 1) return { wrong: error.slice(1) }
      if (found.length <= lines) return 'more'
      return found[lines - 1] === '+PONG' ? {} : { wrong: `found '${found[lines - 1]}', expected PONG` }
    },
  }
  return {
    name: `redis://${url.host}`,
    ask: (timeoutMs) => converse(url, Number(url.port || 6379), exchange, timeoutMs),
  }
}

/**
 * Takes a startup message and asks for authentication, or lets us in: PostgreSQL's frontend/backend protocol 3.0,
 * "Start-up". A server that is starting, shutting down or out of connections says so with an ErrorResponse.
 */
export function postgresProbe(url: URL): Probe {
  const user = decodeURIComponent(url.username) || 'postgres'
  const database = decodeURIComponent(url.pathname.slice(1)) || user
  const body = Buffer.from(`user\0${user}\0database\0${database}\0application_name\0lightning-chaos\0\0`)
  const head = Buffer.alloc(8)
  head.writeInt32BE(head.length + body.length, 0)
  head.writeInt32BE(0x0003_0000, 4)
  const exchange: Exchange = {
    send: Buffer.concat([head, body]),
    judge(answer) {
      if (answer.length < 5 || answer.length < 1 + answer.readInt32BE(1)) return 'more'
      const kind = String.fromCharCode(answer[0]!)
      if (kind === 'R') return {}
      if (kind !== 'E') return { wrong: `found a message '${kind}', expected one about authentication` }
      const fields = answer
        .subarray(5, 1 + answer.readInt32BE(1))
        .toString('utf8')
        .split('\0')
      return {
        wrong: fields.find((field) => field.startsWith('M'))?.slice(1) ?? 'an error without a message',
      }
    },
  }
  return {
    name: `postgres://${url.host}/${database}`,
    ask: (timeoutMs) => converse(url, Number(url.port || 5432), exchange, timeoutMs),
  }
}

function converse(
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
