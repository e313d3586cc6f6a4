/**
 * Runs a program of the host (mount, mkfs, chattr …) from inside the sandbox: argument arrays, no shell, C locale.
 * Not execa: loading it costs 140 ms, and a sandbox is started for every trial.
 */
import {
  type ChildProcess,
  type ExecFileException,
  execFile,
  type StdioOptions,
  spawn,
} from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { ChaosError, ExitCode } from '../errors.js'

/** Of what a program says when it fails, as many characters as people read. */
const MOST_SAID = 4000

/** A program of the host failed, or is not there. */
export class CommandError extends ChaosError {
  readonly code = 'COMMAND'
  readonly exitCode = ExitCode.internal
  /** Exit status; undefined where the program could not be started. */
  readonly status: number | undefined
  /** What it said, cut where that is long. */
  readonly stderr: string
  /** Name of the program, where it is not on PATH. */
  readonly missing: string | undefined

  constructor(command: readonly string[], cause: ExecFileException, said: string) {
    const stderr = brief(said)
    const status = typeof cause.code === 'number' ? cause.code : undefined
    const notFound: unknown[] = ['ENOENT', 'EACCES']
    const missing = notFound.includes(cause.code) ? command[0] : undefined
    const what = status === undefined ? `failed: ${brief(cause.message)}` : `exited with ${status}`
    const failed = `${command.join(' ')} ${what}${stderr === '' ? '' : `: ${stderr}`}`
    super(missing === undefined ? failed : `the program '${missing}' is not on PATH`, { cause })
    this.status = status
    this.stderr = stderr
    this.missing = missing
  }
}

/** Whether a program could not be started, for want of room for another process: fork(2). It may be, a moment later. */
export function isForkFailure(error: unknown): boolean {
  const { code, cause } = error as NodeJS.ErrnoException
  const codes: unknown[] = [code, (cause as NodeJS.ErrnoException | undefined)?.code]
  return codes.includes('EAGAIN') || codes.includes('ENOMEM')
}

function brief(said: string): string {
  return said.length <= MOST_SAID ? said : `${said.slice(0, MOST_SAID)}…`
}

/** An ordinary user's PATH often lacks the directories that mkfs and losetup live in. */
export const COMMAND_PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`

/**
 * Where to start a program: our own directory, or `/` where we may not enter that, or it is gone. execa and
 * spawn(cwd) fail then, with an error that blames the program.
 */
export function workingDirectory(): string {
  try {
    const directory = process.cwd()
    accessSync(directory, constants.X_OK)
    return directory
  } catch {
    return '/' // whatever is wrong with it, programs cannot be started there
  }
}

/** @returns what the program wrote to stdout; @throws CommandError when it fails */
export function command(...argv: readonly [string, ...string[]]): Promise<string> {
  const [file, ...args] = argv
  return new Promise((resolve, reject) => {
    execFile(
      file,
      args,
      { env: { ...process.env, PATH: COMMAND_PATH, LC_ALL: 'C' }, maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout)
        else reject(new CommandError(argv, error, stderr.trim()))
      },
    )
  })
}

/** Runs a program that is given one of our descriptors, as its descriptor 3. @throws CommandError when it fails */
export function commandWithDescriptor(
  descriptor: number,
  ...argv: readonly [string, ...string[]]
): Promise<void> {
  return ended(start(argv, ['ignore', 'ignore', 'pipe', descriptor]), argv)
}

/** Runs two programs, the second of which reads what the first one writes. @throws CommandError when one of them fails */
export async function pipe(
  from: readonly [string, ...string[]],
  to: readonly [string, ...string[]],
): Promise<void> {
  const writer = start(from, ['ignore', 'pipe', 'pipe'])
  const reader = start(to, [writer.stdout, 'ignore', 'pipe'])
  writer.stdout!.destroy() // ours: when the reader ends, the writer is not to wait for us
  const [written, read] = await Promise.allSettled([ended(writer, from), ended(reader, to)])
  // where the reader fails, the writer is killed by that
  for (const each of [read, written]) if (each.status === 'rejected') throw each.reason
}

function start([file, ...args]: readonly [string, ...string[]], stdio: StdioOptions): ChildProcess {
  return spawn(file, args, { env: { ...process.env, PATH: COMMAND_PATH, LC_ALL: 'C' }, stdio })
}

function ended(child: ChildProcess, argv: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let stderr = ''
    child.stderr!.on('data', (chunk: Buffer) => {
      if (stderr.length <= MOST_SAID) stderr += chunk.toString()
    })
    child.on('error', (error) => reject(new CommandError(argv, error, '')))
    child.on('close', (code, signal) => {
      if (code === 0) resolve()
      else reject(new CommandError(argv, failure(code, signal), stderr.trim()))
    })
  })
}

function failure(code: number | null, signal: NodeJS.Signals | null): ExecFileException {
  const error: ExecFileException = new Error(`killed by ${signal}`)
  if (code !== null) error.code = code
  return error
}

/** In front of a command, so that it runs on one processor. */
export function onCpu(cpu: number): readonly string[] {
  return ['taskset', '--cpu-list', String(cpu)]
}
