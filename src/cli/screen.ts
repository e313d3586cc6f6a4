/** Where the tool prints, and how: decided once, from the environment and the two streams. */
import { Chalk, type ChalkInstance } from 'chalk'

type Environment = Readonly<Record<string, string | undefined>>

/** As much of a process's stream as printing needs. */
export interface OutputStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean
  readonly columns?: number | undefined
}

export interface Output {
  readonly stream: OutputStream
  readonly chalk: ChalkInstance
  /** Columns that a line may have. */
  readonly width: number
  /** Whether a line may be overwritten: a terminal of known width, with a person before it. */
  readonly interactive: boolean
  write(text: string): void
}

/** `out` is for results, `err` for progress and errors. */
export interface Screen {
  readonly out: Output
  readonly err: Output
}

/** What is no terminal has no width; logs of CI jobs are wider than a terminal of old. */
const WIDTH_WITHOUT_TERMINAL = 120
/** A terminal that reports 0 columns (`docker run -t`, `script`) is taken for one of the usual width. */
const WIDTH_OF_UNKNOWN_TERMINAL = 80

/**
 * Colour is on where the stream is a terminal that can show it, and off in CI and with NO_COLOR (no-color.org);
 * FORCE_COLOR (force-color.org) takes precedence over all that, and `0` or `false` there turns it off.
 */
export function createScreen(
  environment: Environment,
  streams: { readonly stdout: OutputStream; readonly stderr: OutputStream },
): Screen {
  return { out: createOutput(environment, streams.stdout), err: createOutput(environment, streams.stderr) }
}

function createOutput(environment: Environment, stream: OutputStream): Output {
  const terminal = stream.isTTY === true && environment.TERM !== 'dumb' && !isCi(environment)
  const columns = stream.columns ?? 0
  const unknownWidth = stream.isTTY === true ? WIDTH_OF_UNKNOWN_TERMINAL : WIDTH_WITHOUT_TERMINAL
  return {
    stream,
    chalk: new Chalk({ level: hasColour(environment, terminal) ? 1 : 0 }),
    width: columns > 0 ? columns : unknownWidth,
    // ora divides by the width: at 0 columns it spins for ever.
    interactive: terminal && columns > 0,
    write: (text) => void stream.write(text),
  }
}

function hasColour({ FORCE_COLOR, NO_COLOR }: Environment, terminal: boolean): boolean {
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false'
  return terminal && (NO_COLOR === undefined || NO_COLOR === '')
}

function isCi({ CI }: Environment): boolean {
  return CI !== undefined && CI !== '' && CI !== '0' && CI !== 'false'
}
