/** Is this a right answer to that request? Judges shape and types only; what is true is for the oracle. */
import {
  type DataOp,
  ERROR_KINDS,
  type Hello,
  OPTIONAL_OPS,
  PROTOCOL_VERSION,
  REQUIRED_OPS,
  type Request,
  type Response,
} from './protocol.js'

type Checked = { readonly response: Response } | { readonly mistake: string }

const KINDS: ReadonlySet<unknown> = new Set(ERROR_KINDS)

/**
 * Checks what a target answered, whatever JSON value it is. Fields that the protocol does not know are let
 * through: it may grow.
 *
 * @returns the response, or what is wrong with it, in words
 */
export function checkResponse(request: Request, body: unknown): Checked {
  const mistake = mistakeIn(request, body)
  return mistake === undefined ? { response: body as Response } : { mistake }
}

/** What a target said of itself. The required operations are always in it; ones that we do not know never. */
export function helloFrom(response: Response): Hello {
  const { protocol, name, version, ops } = response as unknown as Hello
  const known: readonly DataOp[] = [...REQUIRED_OPS, ...OPTIONAL_OPS.filter((op) => ops.includes(op))]
  return { protocol, name, version, ops: known }
}

function mistakeIn(request: Request, body: unknown): string | undefined {
  if (!isRecord(body)) return 'a response must be a JSON object'
  if (body.ok === true) return mistakeInOk(request, body)
  if (body.ok !== false) return '"ok" must be true or false'
  const mistake = mistakeInError(body.error)
  if (mistake !== undefined) return mistake
  if (request.op === 'hello') return `hello must be answered, not refused: ${inQuotes(body.error)}`
  return undefined
}

function mistakeInOk(request: Request, body: Record<string, unknown>): string | undefined {
  switch (request.op) {
    case 'hello':
      return mistakeInHello(body)
    case 'open':
      return body.mode === 'read-write' || body.mode === 'read-only'
        ? undefined
        : '"mode" must be "read-write" or "read-only"'
    case 'get':
      return body.value === null || typeof body.value === 'string'
        ? undefined
        : '"value" must be a string, or null where the key is not there'
    case 'scan':
      return Array.isArray(body.entries) && body.entries.every(isEntry)
        ? undefined
        : '"entries" must be a list of [key, value], both strings'
    case 'put':
    case 'delete':
    case 'batch':
    case 'sync':
    case 'compact':
    case 'close':
      return undefined
  }
}

function mistakeInHello(body: Record<string, unknown>): string | undefined {
  if (body.protocol !== PROTOCOL_VERSION) {
    return `"protocol" must be ${PROTOCOL_VERSION}, the version that this tool speaks`
  }
  if (typeof body.name !== 'string') return '"name" must be a string'
  if (typeof body.version !== 'string') return '"version" must be a string'
  if (!Array.isArray(body.ops) || !body.ops.every((op) => typeof op === 'string')) {
    return '"ops" must be a list of the names of operations'
  }
  return undefined
}

function mistakeInError(error: unknown): string | undefined {
  if (!isRecord(error)) return '"error" must be an object'
  if (typeof error.code !== 'string') return '"error.code" must be a string'
  if (!KINDS.has(error.kind)) return `"error.kind" must be one of ${ERROR_KINDS.join(', ')}`
  if (typeof error.recoverable !== 'boolean') return '"error.recoverable" must be true or false'
  if (typeof error.message !== 'string') return '"error.message" must be a string'
  return undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isEntry(value: unknown): boolean {
  return (
    Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && typeof value[1] === 'string'
  )
}

function inQuotes(error: unknown): string {
  return JSON.stringify((error as { message: string }).message)
}
