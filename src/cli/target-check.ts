/** `target check`: tries an adapter against the protocol, and says in words what is wrong with it. */
import { access, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HostError } from '../errors.js'
import { type TargetEnd, TargetGone, TargetProcess } from '../target/child.js'
import type { DataOp, OkBody, Request } from '../target/protocol.js'
import type { TargetSpec } from '../target/spec.js'

/** One thing that is not as the protocol says. */
export interface Finding {
  /** `error`: trials of this target would mean nothing. `warning`: less of it can be tried. */
  readonly severity: 'error' | 'warning'
  /** What was tried. */
  readonly title: string
  readonly found: string
  readonly expected: string
}

export interface CheckOptions {
  /** Longest wait for one answer, in milliseconds. */
  readonly answerMs: number
  print(line: string): void
}

/**
 * Tries everything that a trial asks of a target, each in a process and a directory of its own, and prints a line
 * for each. Where the target cannot even say who it is, or keep one value, the rest is not tried.
 *
 * @returns what is wrong; without an error among it, the target can be tested
 * @throws TargetNotStarted where its program is not there; HostError where temporary files have no place
 */
export async function checkTarget(spec: TargetSpec, options: CheckOptions): Promise<Finding[]> {
  const { path, cleanup } = await temporaryDirectory()
  const findings: Finding[] = []
  const tell = (finding: Finding): void => {
    findings.push(finding)
    options.print(`${finding.severity === 'error' ? 'FAIL' : 'warn'}  ${finding.title}`)
    options.print(`        found:    ${finding.found}`)
    options.print(`        expected: ${finding.expected}`)
  }
  try {
    let offered: readonly DataOp[] = []
    for (const [number, check] of CHECKS.entries()) {
      if (check.needs !== undefined && !offered.includes(check.needs)) {
        tell(notOffered(check.title, check.needs))
        continue
      }
      const bench = new Bench(spec, join(path, String(number)), options.answerMs)
      const mismatch = await bench.try(check)
      offered = bench.offered
      if (mismatch === undefined) options.print(`ok    ${check.title}`)
      else tell({ severity: check.severity ?? 'error', title: check.title, ...mismatch.difference })
      if (mismatch !== undefined && check.basic) break
    }
  } finally {
    await cleanup()
  }
  return findings
}

function notOffered(title: string, op: DataOp): Finding {
  const expected = `'${op}' in the ops of hello, so that trials can use it`
  return { severity: 'warning', title, found: `'${op}' is not offered`, expected }
}

interface Check {
  readonly title: string
  /** `error` unless it says otherwise. */
  readonly severity?: Finding['severity']
  /** Without this, no other check can say anything. */
  readonly basic?: true
  readonly needs?: DataOp
  run(bench: Bench): Promise<void>
}

class Mismatch extends Error {
  readonly difference: { readonly found: string; readonly expected: string }

  constructor(found: string, expected: string) {
    super(`${found}, expected ${expected}`)
    this.difference = { found, expected }
  }
}

/** The place of one check: a fresh directory, and a process in it. */
class Bench {
  readonly #spec: TargetSpec
  readonly #place: string
  readonly #answerMs: number
  #target: TargetProcess | undefined
  #end: TargetEnd | undefined
  offered: readonly DataOp[] = []

  constructor(spec: TargetSpec, place: string, answerMs: number) {
    this.#spec = spec
    this.#place = place
    this.#answerMs = answerMs
  }

  get directory(): string {
    return join(this.#place, 'data')
  }

  get otherDirectory(): string {
    return join(this.#place, 'other')
  }

  async try(check: Check): Promise<Mismatch | undefined> {
    await mkdir(this.directory, { recursive: true })
    await mkdir(this.otherDirectory)
    try {
      await this.start()
      await check.run(this)
      return undefined
    } catch (error) {
      if (error instanceof Mismatch) return error
      if (error instanceof TargetGone) return new Mismatch(error.detail, 'an answer of the protocol')
      throw error
    } finally {
      await this.#target?.kill()
    }
  }

  async start(): Promise<void> {
    this.#target = TargetProcess.start({
      command: this.#spec.command.map((word) => word.replaceAll('{dir}', this.directory)),
      environment: { ...(process.env as Record<string, string>), ...this.#spec.environment },
      cwd: process.cwd(),
      answerMs: this.#answerMs,
      onEnd: (end) => {
        this.#end = end
      },
    })
    this.offered = (await this.#target.hello()).ops
  }

  async open(directory = this.directory): Promise<void> {
    const { mode } = await this.ask({ op: 'open', dir: directory })
    if (mode !== 'read-write')
      throw new Mismatch(`the mode is "${mode}"`, '"read-write" in a fresh directory')
  }

  /** Asks what has to be answered with ok. */
  async ask(request: Request): Promise<OkBody> {
    const response = await this.#process.request(request)
    if (response.ok) return response
    const { kind, message } = response.error
    throw new Mismatch(`${request.op} was answered with the error ${kind}: ${message}`, '"ok": true')
  }

  /** Asks for an operation that no protocol has; the kind of the error. */
  async askNonsense(): Promise<string> {
    const response = await this.#process.request({ op: 'no-such-operation' } as unknown as Request)
    return response.ok ? 'ok' : response.error.kind
  }

  async put(entries: Readonly<Record<string, string>>): Promise<void> {
    for (const [key, value] of Object.entries(entries)) await this.ask({ op: 'put', key, value })
  }

  async expectValues(entries: Readonly<Record<string, string | null>>): Promise<void> {
    for (const [key, value] of Object.entries(entries)) {
      const found = (await this.ask({ op: 'get', key })).value ?? null
      if (found !== value) throw new Mismatch(`get of ${show(key)} is ${show(found)}`, show(value))
    }
  }

  async expectKeys(keys: readonly string[], range: { after?: string; limit: number }): Promise<void> {
    const { entries = [] } = await this.ask({ op: 'scan', ...range })
    const found = entries.map(([key]) => key)
    if (JSON.stringify(found) !== JSON.stringify(keys)) {
      throw new Mismatch(`${show({ op: 'scan', ...range })} gives ${show(found)}`, show(keys))
    }
  }

  async kill(): Promise<void> {
    await this.#process.kill()
  }

  async stop(): Promise<TargetEnd | undefined> {
    await this.#process.stop()
    return this.#end
  }

  get #process(): TargetProcess {
    return this.#target as TargetProcess
  }
}

/** In the order of their UTF-8 bytes; by UTF-16, as JavaScript and Java sort, the last two change places. */
const ORDERED_KEYS = ['A', 'a', 'a b', 'ab', 'z', 'é', '€', '～', '😀']
const ALL = { limit: 1000 }

const CHECKS: readonly Check[] = [
  {
    title: 'says who it is',
    basic: true,
    // Every bench has asked before it comes here.
    run: async () => {},
  },
  {
    title: 'opens an empty directory, keeps a value and gives it back',
    basic: true,
    run: async (bench) => {
      await bench.open()
      await bench.put({ k: 'v' })
      await bench.expectValues({ k: 'v' })
    },
  },
  {
    title: 'gives the last of several values of a key, and null for a key that is not there',
    run: async (bench) => {
      await bench.open()
      await bench.put({ k: 'first', other: 'o' })
      await bench.put({ k: 'second' })
      await bench.expectValues({ k: 'second', other: 'o', absent: null })
    },
  },
  {
    title: 'keeps an empty value, one of 64 KiB, and any character',
    run: async (bench) => {
      await bench.open()
      const entries = {
        empty: '',
        large: 'x'.repeat(65_536),
        text: '"quotes" \\ \n\t\r € 😀',
        'clé 😀\n': 'v',
      }
      await bench.put(entries)
      await bench.expectValues(entries)
    },
  },
  {
    title: 'scans in the order of the UTF-8 bytes of the keys',
    run: async (bench) => {
      await bench.open()
      await bench.expectKeys([], ALL)
      await bench.put(Object.fromEntries([...ORDERED_KEYS].reverse().map((key) => [key, `value of ${key}`])))
      await bench.expectKeys(ORDERED_KEYS, ALL)
    },
  },
  {
    title: 'scans a page at a time, by after and limit',
    run: async (bench) => {
      await bench.open()
      await bench.put({ a: '1', b: '2', c: '3', d: '4' })
      await bench.expectKeys(['a', 'b'], { limit: 2 })
      await bench.expectKeys(['c', 'd'], { after: 'b', limit: 2 })
      await bench.expectKeys(['c', 'd'], { after: 'bb', limit: 3 })
      await bench.expectKeys([], { after: 'd', limit: 2 })
    },
  },
  {
    title: 'deletes a key, and says ok where it is not there',
    needs: 'delete',
    run: async (bench) => {
      await bench.open()
      await bench.put({ a: '1', b: '2' })
      await bench.ask({ op: 'delete', key: 'a' })
      await bench.ask({ op: 'delete', key: 'absent' })
      await bench.expectValues({ a: null, b: '2' })
      await bench.expectKeys(['b'], ALL)
    },
  },
  {
    title: 'applies a batch in its order',
    needs: 'batch',
    run: async (bench) => {
      await bench.open()
      await bench.put({ a: '1', b: '2' })
      await bench.ask({
        op: 'batch',
        ops: [
          ['delete', 'a'],
          ['put', 'b', '3'],
          ['put', 'c', '4'],
          ['put', 'c', '5'],
        ],
      })
      await bench.expectValues({ a: null, b: '3', c: '5' })
    },
  },
  ...(['sync', 'compact'] as const).map(
    (op): Check => ({
      title: `loses nothing by ${op}`,
      needs: op,
      run: async (bench) => {
        await bench.open()
        await bench.put({ a: '1', b: '2' })
        await bench.ask({ op })
        await bench.expectValues({ a: '1', b: '2' })
      },
    }),
  ),
  {
    title: 'answers 100 requests that are under way at once',
    run: async (bench) => {
      await bench.open()
      const entries = Array.from({ length: 100 }, (_, i) => [`k${i}`, `v${i}`] as const)
      await Promise.all(entries.map(([key, value]) => bench.ask({ op: 'put', key, value })))
      await Promise.all(entries.map(([key, value]) => bench.expectValues({ [key]: value })))
    },
  },
  {
    title: 'answers an unknown operation, and goes on',
    run: async (bench) => {
      await bench.open()
      const kind = await bench.askNonsense()
      if (kind !== 'unsupported') {
        throw new Mismatch(
          `an unknown operation was answered with ${kind}`,
          'an error of the kind "unsupported"',
        )
      }
      await bench.put({ k: 'v' })
    },
  },
  {
    title: 'has everything after it was closed and opened again',
    run: async (bench) => {
      await bench.open()
      await bench.put({ k: 'v' })
      await bench.ask({ op: 'close' })
      await bench.open()
      await bench.expectValues({ k: 'v' })
    },
  },
  {
    title: 'has everything after it was killed',
    run: async (bench) => {
      await bench.open()
      await bench.put({ k: 'v' })
      await bench.kill()
      await bench.start()
      await bench.open()
      await bench.expectValues({ k: 'v' })
    },
  },
  {
    title: 'ends with exit code 0 when it was closed and its stdin ends',
    run: async (bench) => {
      await bench.open()
      const end = await bench.stop()
      if (end?.action !== 'stop') throw new Mismatch(`it ${end?.detail}`, 'exit code 0')
    },
  },
  {
    title: 'opens another directory in the same process',
    severity: 'warning',
    run: async (bench) => {
      await bench.open()
      await bench.put({ k: 'v' })
      await bench.ask({ op: 'close' })
      await bench.open(bench.otherDirectory)
      await bench.expectValues({ k: null })
    },
  },
]

async function temporaryDirectory() {
  await access(tmpdir()).catch((cause: unknown) => {
    throw new HostError(`the directory for temporary files, ${tmpdir()}, is not there`, {
      hint: 'set TMPDIR to one that is',
      cause,
    })
  })
  // tmp-promise looks for that directory when it is loaded, and ends the process where it is not there
  const { dir } = await import('tmp-promise')
  return await dir({ prefix: 'lightning-chaos-', unsafeCleanup: true })
}

/** JSON, cut short. */
function show(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 200 ? `${text.slice(0, 200)}… (${text.length} characters)` : text
}
