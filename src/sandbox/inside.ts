/**
 * The process inside a sandbox: reads one request, does it, says what happened. It ends with its stdin, so it
 * never outlives the tool; and as the first process of its namespaces it takes everything in them with it.
 */
import { copyFile, cp, lstat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { ChaosError, ExitCode } from '../errors.js'
import { KernelTrace } from '../evidence/kernel-trace.js'
import { TRACED_ERRNOS } from '../fault/index.js'
import { type Finished, runTrial } from '../trial/run.js'
import type { Trial } from '../trial/trial.js'
import { checkCapabilities } from './capabilities.js'
import { workingDirectory } from './command.js'
import { EventBatch } from './event-batch.js'
import { type Identity, identityFor } from './identity.js'
import type { SandboxFarewell, SandboxMessage, SandboxRequest } from './messages.js'
import { filesOf } from './program.js'
import { withinReach } from './reach.js'
import { enterWorld, type World } from './world.js'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

async function nextLine<T>(): Promise<T> {
  const { value, done } = await lines.next()
  if (done === true) process.exit(ExitCode.interrupted)
  return JSON.parse(value) as T
}

function send(message: SandboxMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

async function trial(request: Extract<SandboxRequest, { kind: 'trial' }>, world: World): Promise<void> {
  const { owner, slot, keep } = request
  const { trial, identity } = await prepare(request.trial, world)
  const { hostProc } = world
  const trace =
    hostProc === undefined ? undefined : await KernelTrace.open(owner, slot, hostProc, TRACED_ERRNOS)
  const batch = new EventBatch((events) => send({ events }))
  try {
    const finished = await runTrial(trial, { world, identity, trace, emit: (event) => batch.add(event) })
    batch.flush()
    send({ finished: { target: finished.target, identity: identity.description, log: finished.log } })
    const farewell = await nextLine<SandboxFarewell>()
    if (farewell.keep && keep !== undefined) send(await keepFiles(finished, keep))
    await finished.unmount()
  } finally {
    batch.flush()
  }
}

/** Whom the target runs as. What comes with us is moved to where that user can reach it. */
async function prepare(trial: Trial, world: World): Promise<{ trial: Trial; identity: Identity }> {
  const identity = await identityFor(world.isolation, filesOf(trial.target.command))
  if (identity.fallback === undefined || world.isolation !== 'root') return { trial, identity }
  const command = await withinReach(trial.target.command, world.place)
  const target = { ...trial.target, command }
  return { trial: { ...trial, target }, identity: await identityFor(world.isolation, filesOf(command)) }
}

function pathsOf(request: SandboxRequest): string[] {
  const own = [workingDirectory(), process.execPath, import.meta.filename]
  if (request.kind !== 'trial') return own
  const { keep, trial } = request
  return [...own, ...filesOf(trial.target.command), ...(keep === undefined ? [] : [keep])]
}

/** What cannot be kept (a full disk) does not change what the trial has shown. */
async function keepFiles({ data, trace }: Finished, keep: string): Promise<SandboxMessage> {
  // sockets and the like cannot be copied
  const filter = async (file: string) => {
    const status = await lstat(file)
    return status.isFile() || status.isDirectory() || status.isSymbolicLink()
  }
  try {
    await cp(data, keep, { recursive: true, verbatimSymlinks: true, filter })
    if (trace !== undefined) await copyFile(await trace(), `${keep}.trace`)
    return { kept: keep }
  } catch (error) {
    return { notKept: `${keep}: ${(error as Error).message}` }
  }
}

async function main(): Promise<void> {
  process.stdin.on('end', () => process.exit(ExitCode.interrupted))
  const request = await nextLine<SandboxRequest>()
  // what was set for the user's files would keep another user out of the directories that we make
  process.umask(0o022)
  const world = await enterWorld({ ...request, inUse: pathsOf(request) })
  if (request.kind === 'trial') await trial(request, world)
  else send({ capabilities: await checkCapabilities(world, request.needs) })
}

main().then(
  () => process.exit(ExitCode.gateMet),
  (error: Error) => {
    const known = error instanceof ChaosError ? error : undefined
    send({
      error: {
        name: error.name,
        message: error.message,
        stack: error.stack ?? '',
        exitCode: known?.exitCode ?? ExitCode.internal,
        ...(known?.hint === undefined ? {} : { hint: known.hint }),
      },
    })
    process.exit(ExitCode.internal)
  },
)
