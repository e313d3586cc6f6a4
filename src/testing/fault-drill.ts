/** Drills of one fault, on a ground of their own, which each of them has to leave as it was. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import { readJournal } from '../drill/journal.js'
import { cli } from './cli.js'
import { type Ground, NO_GROUND, prepareGround } from './drill-ground.js'

/** For `expect.poll`. */
export const POLL = { timeout: 30_000, interval: 20 }

const AS_NOBODY = 'import os, resource, sys, time; os.setgroups([]); os.setgid(65534); os.setuid(65534)'

type Service = ChildProcess & { pid: number; nextLine(): Promise<string> }

export interface FaultBench {
  /** Filled before the first test. */
  readonly ground: Ground
  /** What is ended after each test. */
  readonly services: ChildProcess[]
  drill(fault: string, ...options: string[]): ReturnType<typeof cli>
  /** The options that name the data. */
  place(): string[]
  /** Starts a service of Python, as nobody, and waits until it has said one line. */
  serve(script: string): Promise<Service>
}

export function describeFault(name: string, tests: (bench: FaultBench) => void): void {
  describe.skipIf(NO_GROUND !== undefined)(`${name} (${NO_GROUND ?? 'root'})`, () => {
    const ground = {} as Ground
    const services: ChildProcess[] = []
    let before: ReturnType<Ground['snapshot']>
    beforeAll(() => {
      Object.assign(ground, prepareGround())
      before = ground.snapshot()
    })
    afterAll(() => ground.remove())
    afterEach(() => {
      for (const service of services.splice(0)) service.kill('SIGKILL')
      expect(readJournal(ground.state)).toBeUndefined()
      expect(ground.snapshot()).toEqual(before)
    })
    tests({
      ground,
      services,
      drill: (fault, ...options) => cli(['drill', fault, '--state', ground.state, '--yes', ...options]),
      place: () => ['--path', ground.data],
      async serve(script) {
        const service = startPython(`${AS_NOBODY}\n${script}`)
        services.push(service)
        await service.nextLine()
        return service
      },
    })
  })
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
