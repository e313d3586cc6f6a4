import type { Probe } from './probe.js'
import { converse, type Exchange } from './socket.js'
import { decoded } from './url.js'

/** The first byte of a message that a server may send before it is ready: "Message Formats". */
const KINDS = {
  R: 'authentication',
  S: 'parameter',
  K: 'key to cancel with',
  N: 'notice',
  v: 'version',
  E: 'error',
  Z: 'ready',
} as const

/** The code of an AuthenticationOk; any other one asks us to prove who we are. */
const AUTHENTICATION_OK = 0

/**
 * Takes a startup message, and then either asks for proof of who we are (without a password no more can be told) or
 * lets us in and is ready for a query of that role in that database: PostgreSQL's frontend/backend protocol 3.0,
 * "Start-up". A server that is starting, shutting down or out of connections says so before it asks for anything; one
 * that has no such role or database may say so after it let us in.
 */
export function postgresProbe(url: URL, called: string): Probe {
  const user = decoded(url.username, called) || 'postgres'
  const database = decoded(url.pathname.slice(1), called) || user
  const exchange: Exchange = { send: startup({ user, database, application_name: 'lightning-chaos' }), judge }
  return {
    name: `postgres://${url.host}/${database}`,
    ask: (timeoutMs) => converse(url, Number(url.port || 5432), exchange, timeoutMs),
  }
}

function startup(parameters: Readonly<Record<string, string>>): Buffer {
  const body = Buffer.from(`${Object.entries(parameters).flat().join('\0')}\0\0`)
  const head = Buffer.alloc(8)
  head.writeInt32BE(head.length + body.length, 0)
  head.writeInt32BE(0x0003_0000, 4)
  return Buffer.concat([head, body])
}

const judge: Exchange['judge'] = (answer) => {
  // each has its kind in one byte, then the length of the rest, with itself, in four
  for (let at = 0, length: number; at < answer.length; at += 1 + length) {
    const letter = String.fromCharCode(answer[at]!)
    const kind: string | undefined = KINDS[letter as keyof typeof KINDS]
    if (kind === undefined) return { wrong: `found a message '${letter}', expected one about authentication` }
    if (answer.length < at + 5) break
    length = answer.readInt32BE(at + 1)
    if (length < (kind === 'authentication' ? 8 : 4))
      return { wrong: `found a message '${letter}' cut short` }
    if (answer.length < at + 1 + length) break
    if (kind === 'ready') return {}
    if (kind === 'error') return { wrong: messageOf(answer.subarray(at + 5, at + 1 + length)) }
    if (kind === 'authentication' && answer.readInt32BE(at + 5) !== AUTHENTICATION_OK) return {}
  }
  return 'more'
}

/** What an ErrorResponse says: fields, each with its kind in one byte, M the one for people. */
function messageOf(body: Buffer): string {
  const fields = body.toString('utf8').split('\0')
  return fields.find((field) => field.startsWith('M'))?.slice(1) ?? 'an error without a message'
}
