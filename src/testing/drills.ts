/** Drills on a ground of their own, which each test has to leave as it was. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest'
import { readJournal } from '../drill/journal.js'
import { BIN, cli } from './cli.js'
import { type Ground, NO_GROUND, prepareGround } from './drill-ground.js'
import { allEnded, MARK, marked } from './leftovers.js'

const PATIENCE_MS = 30_000
/** For `expect.poll`. */
export const POLL = { timeout: PATIENCE_MS, interval: 20 }

const AS_NOBODY = 'import os, resource, sys, time; os.setgroups([]); os.setgid(65534); os.setuid(65534)'

type Service = ChildProcess & { pid: number; nextLine(): Promise<string> }

interface RunningDrill {
  readonly child: ChildProcess
  /** The process number of its watchdog. */
  readonly watchdog: number
  /** Waits until tool, watchdog and all that they have started have ended. */
  end(): Promise<{ readonly code: number | null; readonly output: string }>
}

export interface DrillBench {
  /** Filled before the first test. */
  readonly ground: Ground
  /** What is ended after each test. */
  readonly services: ChildProcess[]
  /** Everything on the ground is what it was before the first test, which holds after each test anyway. */
  expectAsBefore(): void
  argv(fault: string, ...options: readonly string[]): string[]
  /** The options that name the data. */
  place(): string[]
  drill(fault: string, ...options: readonly string[]): ReturnType<typeof cli>
  undo(): ReturnType<typeof cli>
  /** The entries of the audit log. */
  audit(): readonly Record<string, unknown>[]
  /** Starts a service of Python, as nobody, and waits until it has said one line. */
  serve(script: string): Promise<Service>
  /** Starts a process in a mount namespace of its own, as a container is. */
  contain(): Promise<ChildProcess>
}

export function describeDrills(name: string, tests: (bench: DrillBench) => void): void {
  describe.skipIf(NO_GROUND !== undefined)(`${name} (${NO_GROUND ?? 'root'})`, () => {
    const ground = {} as Ground
    const services: ChildProcess[] = []
    let before: ReturnType<Ground['snapshot']>
    const expectAsBefore = () => expect(ground.snapshot()).toEqual(before)
    const argv = (fault: string, ...options: readonly string[]) => [
      'drill',
      fault,
      '--state',
      ground.state,
      '--yes',
      ...options,
    ]
    beforeAll(() => {
      Object.assign(ground, prepareGround())
      before = ground.snapshot()
    })
    afterAll(() => ground.remove())
    beforeEach(() => rmSync(ground.state, { recursive: true, force: true }))
    afterEach(() => {
      for (const service of services.splice(0)) service.kill('SIGKILL')
      expect(readJournal(ground.state)).toBeUndefined()
      expectAsBefore()
    })
    tests({
      ground,
      services,
      expectAsBefore,
      argv,
      place: () => ['--path', ground.data],
      drill: (fault, ...options) => cli(argv(fault, ...options)),
      undo: () => cli(['drill', 'undo', '--state', ground.state]),
      audit: () =>
        readFileSync(path.join(ground.state, 'audit.jsonl'), 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
      async serve(script) {
        const service = startPython(`${AS_NOBODY}\n${script}`)
        services.push(service)
        await service.nextLine()
        return service
      },
      async contain() {
        const script = ['--mount', '--propagation', 'private', 'sh', '-c', 'echo there; exec sleep 1000']
        const child = spawn('unshare', script, { stdio: ['ignore', 'pipe', 'inherit'] })
        services.push(child)
        await once(child.stdout, 'data')
        return child
      },
    })
  })
}

/** Starts a drill, and waits until its fault is on. @param prefix of the command; it may not stay above it */
export async function start(
  argv: readonly string[],
  env: Record<string, string> = {},
  prefix: readonly string[] = [],
): Promise<RunningDrill> {
  const mark = `${process.pid}-${Math.random()}`
  const [program, ...args] = [...prefix, process.execPath, BIN, ...argv]
  const child = spawn(program!, args, {
    detached: true,
    env: { ...process.env, [MARK]: mark, ...env },
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const ended = once(child, 'exit')
  for (const deadline = Date.now() + PATIENCE_MS; !output.includes('the fault is on'); await sleep(20)) {
    if (Date.now() > deadline || child.exitCode !== null) throw new Error(`the fault is not on: ${output}`)
  }
  return {
    child,
    watchdog: marked(mark).find(({ command }) => command.includes('watchdog.js'))!.pid,
    async end() {
      const [code] = await ended
      await allEnded(mark)
      return { code, output }
    },
  }
}

/** So that neither can do the work of the other. */
export async function killBoth({ child, watchdog, end }: RunningDrill): Promise<void> {
  process.kill(watchdog, 'SIGSTOP')
  child.kill('SIGKILL')
  process.kill(watchdog, 'SIGKILL')
  await end()
}

function startPython(script: string): Service {
  const child = spawn('python3', ['-uc', script], { cwd: '/', stdio: ['pipe', 'pipe', 'inherit'] })
  // python writes a line and its end in two calls: one may be read without the other
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const nextLine = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error('it ended')
    return value as string
  }
  return Object.assign(child as typeof child & { pid: number }, { nextLine })
}
