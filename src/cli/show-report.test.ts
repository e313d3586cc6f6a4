import { once } from 'node:events'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { servePage, urlOf } from './show-report.js'

const HTML = '<!doctype html><title>Löschung</title>'

let server: Awaited<ReturnType<typeof servePage>>
beforeAll(async () => {
  server = await servePage(HTML, 0)
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

async function ask(method: string, path: string, host?: string) {
  const { port } = server.address() as AddressInfo
  const headers = host === undefined ? {} : { host }
  const asked = request({ host: '127.0.0.1', port, method, path, headers }).end()
  const [response] = await once(asked, 'response')
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { status: response.statusCode as number, headers: response.headers, text }
}

describe('servePage', () => {
  it('listens on loopback alone', () => {
    expect(server.address()).toMatchObject({ address: '127.0.0.1' })
    expect(urlOf(server)).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/)
  })

  it('serves the page, which nobody may frame', async () => {
    const { status, headers, text } = await ask('GET', '/')
    expect({ status, text }).toEqual({ status: 200, text: HTML })
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
    expect((await ask('HEAD', '/')).text).toBe('')
  })

  it.each([
    ['GET', '/favicon.ico', undefined, 404],
    ['GET', '/../etc/passwd', undefined, 404],
    ['POST', '/', undefined, 405],
    ['GET', '/', 'evil.example:80', 421],
    ['GET', '/', 'localhost:8080', 200],
  ])('answers %s %s of %s with %i', async (method, path, host, status) => {
    const answer = await ask(method, path, host)
    expect(answer.status).toBe(status)
    if (status !== 200) expect(answer.text).toBe('')
  })

  it('says so where the port is taken', async () => {
    const { port } = server.address() as AddressInfo
    await expect(servePage(HTML, port)).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining(`127.0.0.1:${port} cannot be listened on: listen EADDRINUSE`),
    })
  })
})
