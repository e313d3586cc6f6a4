/** The target's end of the protocol: reads requests, calls what answers them, writes the answers. */
import { LineSplitter } from '../lines.js'
import type { DataOp, Request, TargetError } from '../protocol.js'

/** The longest request is a batch, and the tool makes those small. */
const LONGEST_REQUEST = 64 * 1024 * 1024

type Operation = DataOp | 'hello' | 'open' | 'close'

/** Answers one operation with the fields of its response; may take its time, and throw. */
type Handler<Op extends Operation = Operation> = (
  request: Extract<Request, { op: Op }>,
) => object | Promise<object>

type Handlers = { readonly [Op in Operation]?: Handler<Op> }

/** @param errorOf what to answer where an operation's handler threw */
export function serve(handlers: Handlers, errorOf: (thrown: unknown, op: Operation) => TargetError): void {
  const answer = async (id: number, request: Request): Promise<void> => {
    const handler = handlers[request.op] as Handler | undefined
    try {
      say(id, handler === undefined ? unsupported(request.op) : { ok: true, ...(await handler(request)) })
    } catch (thrown) {
      say(id, { ok: false, error: errorOf(thrown, request.op) })
    }
  }
  const lines = new LineSplitter(LONGEST_REQUEST)
  process.stdin.on('data', (chunk: Buffer) => {
    lines.push(chunk, (line) => {
      const { id, ...request } = JSON.parse(line)
      void answer(id, request)
      return true
    })
  })
}

function unsupported(op: string): object {
  const message = `unknown operation '${op}'`
  return { ok: false, error: { code: 'UNSUPPORTED', kind: 'unsupported', recoverable: false, message } }
}

function say(id: number, body: object): void {
  process.stdout.write(`${JSON.stringify({ id, ...body })}\n`)
}
