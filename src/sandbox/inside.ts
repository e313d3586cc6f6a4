/**
 * The process inside a sandbox: reads one request, does it, says what happened. It ends with its stdin, so it
 * never outlives the tool; and as the first process of its namespaces it takes everything in them with it.
 */
import { cp } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { ChaosError, ExitCode } from '../errors.js'
import { KernelTrace } from '../evidence/kernel-trace.js'
import { runTrial } from '../trial/run.js'
import { checkCapabilities } from './capabilities.js'
import { EventBatch } from './event-batch.js'
import { identityFor } from './identity.js'
import type { SandboxFarewell, SandboxMessage, SandboxRequest } from './messages.js'
import { filesOf } from './program.js'
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

async function trial(
  { trial, owner }: Extract<SandboxRequest, { kind: 'trial' }>,
  world: World,
): Promise<void> {
  const identity = await identityFor(world.isolation, filesOf(trial.target.command))
  const trace = world.hostProc === undefined ? undefined : await KernelTrace.open(owner, world.hostProc)
  const batch = new EventBatch((events) => send({ events }))
  try {
    const finished = await runTrial(trial, { world, identity, trace, emit: (event) => batch.add(event) })
    batch.flush()
    send({ finished: { target: finished.target, identity: identity.description, log: finished.log } })
    const { keep } = await nextLine<SandboxFarewell>()
    if (keep !== null) await cp(finished.data, keep, { recursive: true })
    await finished.unmount()
    send({ kept: keep })
  } finally {
    trace?.close()
  }
}

async function main(): Promise<void> {
  process.stdin.on('end', () => process.exit(ExitCode.interrupted))
  const request = await nextLine<SandboxRequest>()
  const world = await enterWorld(request.isolation, request.borrowed)
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
