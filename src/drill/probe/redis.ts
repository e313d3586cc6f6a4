import type { Probe } from './probe.js'
import { converse, type Exchange } from './socket.js'
import { decoded } from './url.js'

/** Answers PING, after AUTH where the URL has a password: redis.io/docs/reference/protocol-spec. */
export function redisProbe(url: URL, called: string): Probe {
  const words = (...parts: string[]) =>
    `*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`
  const password = decoded(url.password, called)
  const user = decoded(url.username, called)
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
