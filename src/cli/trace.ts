/** `trace`: every operation that a glass volume saw, from the file that `--keep` leaves beside the target's files. */
import { UsageError } from '../errors.js'
import { readTrace } from '../glass/trace.js'
import type { Output, Screen } from './screen.js'

export interface TraceOptions {
  readonly json?: true
}

type Traced = ReturnType<typeof readTrace> extends Generator<infer T> ? T : never

/** Bytes of output that are written at a time. */
const PIECE = 64 * 1024

/** One line an operation, in the order in which they were answered. */
export async function trace(file: string, { json }: TraceOptions, { out }: Screen): Promise<void> {
  let start: number | undefined
  let text = ''
  for (const operation of operations(file)) {
    start ??= operation.time
    text += `${json ? inJson(operation, start) : line(operation, start)}\n`
    if (text.length < PIECE) continue
    await write(out, text)
    text = ''
  }
  await write(out, text)
}

function* operations(file: string): Generator<Traced> {
  try {
    yield* readTrace(file)
  } catch (cause) {
    throw new UsageError(`${file} cannot be read as a trace: ${(cause as Error).message}`, {
      cause,
      hint: 'run … --keep leaves one, NAME.trace, for each trial on glass that did not pass',
    })
  }
}

/** A trace may be longer than memory: each piece waits until it is gone. */
async function write({ stream }: Output, text: string): Promise<void> {
  await new Promise((resolve) => stream.write(text, resolve))
}

/** Bytes as base64, where the trace has them. */
function inJson({ bytes, ...operation }: Traced, start: number): string {
  const data = bytes === undefined ? {} : { bytes: bytes.toString('base64') }
  return JSON.stringify({ ...operation, time: operation.time - start, ...data })
}

function line(
  { time, thread, operation, path, names, offset, length, result, errno, rule }: Traced,
  start: number,
) {
  const parts = [
    `${(time - start).toFixed(3).padStart(12)} ms`,
    String(thread).padStart(7),
    operation.padEnd(10),
    [path ?? '?', ...names.map((name) => JSON.stringify(name))].join(' '),
    ...(offset === undefined ? [] : [`${length} at ${offset}`]),
    ...(errno !== undefined ? [`= ${errno}`] : offset === undefined ? [] : [`= ${result}`]),
    ...(rule === undefined ? [] : [`(rule ${rule})`]),
  ]
  return parts.join('  ')
}
