import { UsageError } from '../../errors.js'
import { commandProbe } from './command.js'
import { httpProbe } from './http.js'
import { postgresProbe } from './postgres.js'
import type { Probe } from './probe.js'
import { redisProbe } from './redis.js'
import { tcpProbe } from './socket.js'
import { withoutPassword } from './url.js'

const BY_PROTOCOL: Readonly<Record<string, (url: URL, called: string) => Probe>> = {
  'http:': httpProbe,
  'tcp:': tcpProbe,
  'postgres:': postgresProbe,
  'postgresql:': postgresProbe,
  'redis:': redisProbe,
}

/**
 * A URL with one of the protocols, else a command.
 * @param option that it is the value of; @throws UsageError
 */
export function probeOf(text: string, option = '--probe'): Probe {
  const called = `${option} ${withoutPassword(text)}`
  const protocol = /^([a-z]+:)\/\//.exec(text)?.[1]
  if (protocol === undefined) {
    if (text.trim() === '') throw new UsageError(`${option}: is empty, expected a command or a URL`)
    return commandProbe(text)
  }
  const probe = BY_PROTOCOL[protocol]
  if (probe === undefined || !URL.canParse(text)) {
    throw new UsageError(`${called}: is no URL that can be asked`, {
      hint: `${Object.keys(BY_PROTOCOL)
        .map((each) => `${each}//…`)
        .join(', ')}, or a command`,
    })
  }
  const url = new URL(text)
  if (url.hostname === '' || (protocol === 'tcp:' && url.port === '')) {
    throw new UsageError(`${called}: has no host or no port`, { hint: `${protocol}//127.0.0.1:PORT` })
  }
  return probe(url, called)
}
