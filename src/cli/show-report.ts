/** `show-report`: the HTML report of a run that is kept, for the browsers of this machine. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ExitCode, HostError } from '../errors.js'
import { renderHtml } from '../report/html.js'
import { readRun } from '../results/read.js'
import type { Screen } from './screen.js'
import { withStopSignal } from './stop-signal.js'

const LOOPBACK = '127.0.0.1'
const OWN_NAMES: readonly string[] = [LOOPBACK, 'localhost']

/** What the page may do stands in itself; who may frame it can only be said here. */
const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': "frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}

/**
 * Serves until a signal comes, which is how it is meant to end.
 * @param selector as readRun takes it
 * @param port 0: any that is free
 * @returns the exit code
 */
export async function showReport(selector: string, port: number, { out, err }: Screen): Promise<ExitCode> {
  const html = renderHtml(await readRun(selector))
  await withStopSignal(async (signal) => {
    const server = await servePage(html, port)
    out.write(`${urlOf(server)}\n`)
    err.write('Ctrl-C ends it\n')
    if (!signal.aborted) await once(signal, 'abort')
    server.closeAllConnections()
    server.close()
  })
  return ExitCode.gateMet
}

/** Serves one page on loopback. @throws HostError where the port is taken, say */
export async function servePage(html: string, port: number): Promise<Server> {
  const server = createServer((request, response) => answer(request, response, html))
  try {
    server.listen(port, LOOPBACK)
    await once(server, 'listening')
    return server
  } catch (cause) {
    throw new HostError(`${LOOPBACK}:${port} cannot be listened on: ${(cause as Error).message}`, {
      cause,
      hint: 'name another port, or none',
    })
  }
}

export function urlOf(server: Server): string {
  return `http://${LOOPBACK}:${(server.address() as AddressInfo).port}/`
}

function answer({ method, url, headers }: IncomingMessage, response: ServerResponse, html: string): void {
  const end = (status: number, text: string, more = {}) =>
    response.writeHead(status, { ...HEADERS, 'Content-Length': Buffer.byteLength(text), ...more }).end(text)
  // a page elsewhere can have its own name point to us, and would then read this one (DNS rebinding)
  if (!OWN_NAMES.includes(headers.host?.replace(/:\d+$/, '') ?? '')) return void end(421, '')
  if (url !== '/') return void end(404, '')
  if (method !== 'GET' && method !== 'HEAD') return void end(405, '', { Allow: 'GET, HEAD' })
  end(200, html)
}
