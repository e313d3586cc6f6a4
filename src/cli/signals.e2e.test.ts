/** Whatever ends a run early, what was done so far is reported and nothing is left behind. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { BIN, IDENTITIES } from '../testing/cli.js'
import { allEnded, HostWatch, MARK, marked, until } from '../testing/leftovers.js'

const RUN = [
  process.execPath,
  BIN,
  'run',
  'permissions/rotation',
  '--trials',
  '500',
  '--seed',
  'signals',
  '--no-save',
]

interface Started {
  readonly pid: number
  write(keys: string): void
  /** Waits for the end: of the process, and of all that it started. */
  end(): Promise<{ code: number | null; output: string; left: string[] }>
}

/** Starts a command, and waits until a trial is under way. */
async function start(
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const host = new HostWatch()
  const mark = `${process.pid}-${Math.random()}`
  const [program, ...args] = argv
  const env = { ...process.env, TERM: 'xterm', TMPDIR: host.temporary, [MARK]: mark, ...environment }
  const child = spawn(program!, args, { cwd: '/', env, stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk))
  const ended = once(child, 'exit')
  if (!(await until(() => inTrial(mark)))) throw new Error(`no trial began: ${output}`)
  const tool = marked(mark).find(({ command }) => command.startsWith(`${process.execPath} ${BIN} run`))!
  return {
    pid: child.pid!,
    write: (keys) => void child.stdin.write(keys),
    async end() {
      const [code] = (await ended) as [number | null]
      await allEnded(mark)
      return { code, output, left: await host.left(tool.pid) }
    },
  }
}

function inTrial(mark: string): boolean {
  return marked(mark).some(({ command }) => command.includes('adapters/lightning.js'))
}

/** A real terminal around a command. */
function terminal(argv: readonly string[], before = 'true'): string[] {
  const words = argv.map((word) => `'${word}'`).join(' ')
  return ['script', '--quiet', '--return', '--flush', '--command', `${before}; exec ${words}`, '/dev/null']
}

describe.each(IDENTITIES)('as $name', ({ prefix }) => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s: what is done is reported, exit 130',
    async (signal) => {
      const run = await start([...prefix, ...RUN])
      process.kill(run.pid, signal)
      const { code, output, left } = await run.end()
      expect(code).toBe(130)
      expect(output).toContain('seed signals')
      expect(output).toMatch(/\nFAIL .*the run is not complete\n$/)
      expect(left).toEqual([])
    },
  )

  test('Ctrl-C in a terminal, and the second SIGINT that npx sends with it', async () => {
    const run = await start(terminal([...prefix, ...RUN]))
    run.write('\x03\x03')
    const { code, output, left } = await run.end()
    expect(code).toBe(130)
    expect(output).toContain('the run is not complete')
    expect(left).toEqual([])
  })

  test('a terminal that is closed', async () => {
    const run = await start(terminal([...prefix, ...RUN]))
    process.kill(run.pid, 'SIGKILL')
    const { left } = await run.end()
    expect(left).toEqual([])
  })

  // npm puts a shell between itself and what it runs; some replace themselves with their last command, some do not
  test.each([
    ['that stays', `"$@"; exit`],
    ['that is replaced', `exec "$@"`],
  ])('npx killed above us, with a shell %s', async (_, script) => {
    const npm = `require('child_process').spawn('sh', ['-c', ...process.argv.slice(1)], { stdio: 'inherit' })`
    const argv = [process.execPath, '-e', npm, script, 'sh', ...prefix, ...RUN]
    const run = await start(argv, { npm_execpath: '/npm-cli.js' })
    process.kill(run.pid, 'SIGKILL')
    const { left } = await run.end()
    expect(left).toEqual([])
  })
})

test('a terminal of 0 columns is no reason to spin', async () => {
  const run = terminal(
    [process.execPath, BIN, 'run', 'diskfull/neighbour', '--trials', '1', '--no-save'],
    'stty cols 0',
  )
  const { code, output } = await (await start(run)).end()
  expect(code).toBe(0)
  expect(output).toContain('PASS')
})
