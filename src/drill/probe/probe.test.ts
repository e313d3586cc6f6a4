import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { freshPath } from '../../testing/directory.js'
import { processState } from '../host/processes.js'
import { probeOf } from './index.js'
import { withoutPassword } from './url.js'

const TIMEOUT_MS = 5000
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** @returns its port */
async function listen(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const answering = (answer: (question: Buffer, socket: Socket) => void) =>
  listen(
    createServer((socket) => socket.on('error', () => {}).on('data', (question) => answer(question, socket))),
  )

async function unusedPort(): Promise<number> {
  const port = await listen(createServer())
  await new Promise((resolve) => servers.pop()!.close(resolve))
  return port
}

const ask = (text: string, timeoutMs = TIMEOUT_MS) => probeOf(text).ask(timeoutMs)

describe('a command', () => {
  test('works where it exits with 0', async () => {
    expect(await ask('true')).toBeUndefined()
    expect(await ask(`sh -c 'exit 0'`)).toBeUndefined()
  })

  test('says why not: its last line', async () => {
    expect(await ask(`sh -c 'echo first; echo disk full >&2; exit 3'`)).toBe('exit 3: disk full')
    expect(await ask('/nonexistent/check')).toBe('there is no /nonexistent/check')
    expect(await ask('./nonexistent')).toBe(`there is no ./nonexistent in ${process.cwd()}`)
    expect(await ask(`sh -c 'kill -9 $$'`)).toBe('SIGKILL')
  })

  test('is ended with all that it started when it takes too long', async () => {
    const file = freshPath()
    expect(await ask(`sh -c 'sleep 1000 & echo $! >${file}; wait'`, 300)).toBe('no answer within 300 ms')
    const pid = Number(readFileSync(file, 'utf8'))
    await expect.poll(() => processState(pid)?.state ?? 'gone').toMatch(/gone|Z/)
  })
})

test('tcp: a port that takes connections', async () => {
  expect(await ask(`tcp://127.0.0.1:${await listen(createServer())}`)).toBeUndefined()
  expect(await ask(`tcp://127.0.0.1:${await unusedPort()}`)).toMatch(/ECONNREFUSED/)
})

test('http: a status below 400', async () => {
  const port = await listen(
    createHttpServer((request, response) => {
      if (request.url === '/silent') return
      response.statusCode = Number(request.url?.slice(1))
      response.end('body')
    }),
  )
  const url = (path: string) => `http://127.0.0.1:${port}/${path}`
  expect(await ask(url('204'))).toBeUndefined()
  expect(await ask(url('503'))).toBe('status 503')
  expect(await ask(url('silent'), 200)).toBe('no answer within 200 ms')
  servers.pop()!.close()
})

describe('redis', () => {
  test('answers PING, also in pieces', async () => {
    const port = await answering((question, socket) => {
      expect(question.toString()).toBe('*1\r\n$4\r\nPING\r\n')
      socket.write('+PO')
      setTimeout(() => socket.write('NG\r\n'), 20)
    })
    expect(await ask(`redis://127.0.0.1:${port}`)).toBeUndefined()
  })

  test('authenticates first where there is a password, which nobody sees', async () => {
    const port = await answering((question, socket) => {
      expect(question.toString()).toBe('*2\r\n$4\r\nAUTH\r\n$3\r\ns@t\r\n*1\r\n$4\r\nPING\r\n')
      socket.write('+OK\r\n+PONG\r\n')
    })
    const probe = probeOf(`redis://:s%40t@127.0.0.1:${port}`)
    expect(probe.name).toBe(`redis://127.0.0.1:${port}`)
    expect(await probe.ask(TIMEOUT_MS)).toBeUndefined()
  })

  test('says why not', async () => {
    const port = await answering((_, socket) => socket.write('-MISCONF cannot persist\r\n'))
    expect(await ask(`redis://127.0.0.1:${port}`)).toBe('MISCONF cannot persist')
    const closing = await answering((_, socket) => socket.end())
    expect(await ask(`redis://127.0.0.1:${closing}`)).toBe('the connection was closed')
    const silent = await answering(() => {})
    expect(await ask(`redis://127.0.0.1:${silent}`, 200)).toBe('no answer within 200 ms')
  })
})

describe('postgres', () => {
  const message = (kind: string, body: string) => {
    const head = Buffer.alloc(5)
    head.write(kind)
    head.writeInt32BE(4 + body.length, 1)
    return Buffer.concat([head, Buffer.from(body)])
  }

  test('asks for authentication', async () => {
    const port = await answering((question, socket) => {
      expect(question.readInt32BE(0)).toBe(question.length)
      expect(question.readInt32BE(4)).toBe(196_608)
      expect(question.subarray(8).toString()).toMatch(/^user\0me\0database\0shop\0.*\0\0$/)
      socket.write(message('R', '\0\0\0\x0a'))
    })
    expect(await ask(`postgres://me:secret@127.0.0.1:${port}/shop`)).toBeUndefined()
    expect(probeOf(`postgres://me:secret@127.0.0.1:${port}/shop`).name).not.toContain('secret')
  })

  const letIn = [message('R', '\0\0\0\0'), message('S', 'server_version\x0015\0')]

  test('lets us in, and is ready for a query', async () => {
    const whole = Buffer.concat([...letIn, message('K', '\0\0\0\x07\0\0\0\x09'), message('Z', 'I')])
    for (const size of [1, 7, whole.length]) {
      const port = await answering((_, socket) => {
        socket.setNoDelay()
        for (let at = 0; at < whole.length; at += size) socket.write(whole.subarray(at, at + size))
      })
      expect(await ask(`postgres://127.0.0.1:${port}`)).toBeUndefined()
    }
    const unready = await answering((_, socket) => socket.write(Buffer.concat(letIn)))
    expect(await ask(`postgres://127.0.0.1:${unready}`, 200)).toBe('no answer within 200 ms')
  })

  test('lets us in, and has no such database', async () => {
    const error = message('E', 'SFATAL\0C3D000\0Mdatabase "shop" does not exist\0\0')
    const port = await answering((_, socket) => socket.end(Buffer.concat([...letIn, error])))
    expect(await ask(`postgres://127.0.0.1:${port}/shop`)).toBe('database "shop" does not exist')
  })

  test('survives an answer that is none', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...'RSKNvEZ'),
        fc.uint8Array({ minLength: 0, maxLength: 12 }),
        async (kind, rest) => {
          const port = await answering((_, socket) => socket.end(Buffer.concat([Buffer.from(kind), rest])))
          const answer = await ask(`postgres://127.0.0.1:${port}`)
          expect(answer === undefined || answer.length > 0).toBe(true)
        },
      ),
      {
        numRuns: 50,
        examples: [
          ['R', Uint8Array.of(0, 0, 0, 0)],
          ['S', Uint8Array.of(255, 255, 255, 250)],
        ],
      },
    )
  })

  test('says why not', async () => {
    const error = message('E', 'SFATAL\0C57P03\0Mthe database system is starting up\0\0')
    const port = await answering((_, socket) => {
      socket.write(error.subarray(0, 9))
      setTimeout(() => socket.write(error.subarray(9)), 20)
    })
    expect(await ask(`postgres://127.0.0.1:${port}`)).toBe('the database system is starting up')
    const other = await answering((_, socket) =>
      socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(100_000)),
    )
    expect(await ask(`postgres://127.0.0.1:${other}`, 500)).toMatch(/expected one about|no answer/)
  })
})

test.each([
  ['redis://:p@ss:w@rd@127.0.0.1', 'redis://:…@127.0.0.1'],
  ['postgres://me:1234@127.0.0.1/db', 'postgres://me:…@127.0.0.1/db'],
  ["curl 'http://u:p/w@127.0.0.1/' && mail a@b", "curl 'http://u:…@127.0.0.1/' && mail a@b"],
  ['http://127.0.0.1:80/a@b http://[::1]:80/a@b', 'http://127.0.0.1:80/a@b http://[::1]:80/a@b'],
  ['tcp://127.0.0.1:80 a@b:c@d', 'tcp://127.0.0.1:80 a@b:c@d'],
])('%s is shown as %s', (text, shown) => {
  expect(withoutPassword(text)).toBe(shown)
})

test('no probe has a password in its name, and none is in what is said of it', () => {
  for (const text of [
    'http://u:secret@127.0.0.1/',
    "curl 'http://u:sec@ret@127.0.0.1/'",
    'redis://:secret@127.0.0.1',
    'postgres://u:secret@127.0.0.1',
  ])
    expect(probeOf(text).name).not.toMatch(/sec|ret/)
  for (const text of [
    'http://u:secret@example.org/',
    'redis://:secret%@127.0.0.1',
    'ftp://u:secret@127.0.0.1',
  ])
    expect(() => probeOf(text)).toThrow(/^(?!.*secret)/)
})

test('the option that it is the value of is named', () => {
  expect(() => probeOf('', '--abort-if')).toThrow(/^--abort-if: is empty/)
})

test.each([
  ['postgres://a%@127.0.0.1/db', /^--probe .*: a % in it stands for no character/],
  ['redis://:pa%ss@127.0.0.1', /^--probe redis:\/\/:…@127.0.0.1: a %/],
  ['http://example.org/', /loopback/],
  ['ftp://127.0.0.1/', /no URL that can be asked/],
  ['tcp://127.0.0.1', /no host or no port/],
  [' ', /is empty/],
  [`'open`, /never closed/],
])('%s is refused', (text, why) => {
  expect(() => probeOf(text)).toThrow(why)
})
