import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { quoteCommandLine, splitCommandLine } from '../../target/command-line.js'
import type { Probe } from './probe.js'
import { withoutPassword } from './url.js'

const MOST_OUTPUT = 4096
/** For what it said before it ended. */
const LAST_WORDS_MS = 100

/** A command that exits with 0 where the service works. It is ended with everything that it started when it takes too long. */
export function commandProbe(line: string): Probe {
  const [program = '', ...args] = splitCommandLine(line)
  return {
    name: withoutPassword(quoteCommandLine([program, ...args])),
    ask: (timeoutMs) =>
      new Promise((resolve) => {
        const child = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
        let output = ''
        const keep = (chunk: Buffer) => (output = (output + chunk).slice(-MOST_OUTPUT))
        child.stdout.on('data', keep)
        child.stderr.on('data', keep)
        const timer = setTimeout(() => {
          endGroup(child.pid)
          resolve(`no answer within ${timeoutMs} ms`)
        }, timeoutMs)
        const settle = (answer: string | undefined) => {
          clearTimeout(timer)
          resolve(answer)
          // what it started and left running may hold them for ever
          child.stdout.destroy()
          child.stderr.destroy()
        }
        child.on('error', (error) => settle(whyNotStarted(program, error)))
        child.on('exit', async (code, signal) => {
          await Promise.race([once(child, 'close'), sleep(LAST_WORDS_MS)])
          const said = output.trim().split('\n').at(-1) ?? ''
          settle(code === 0 ? undefined : `${signal ?? `exit ${code}`}${said === '' ? '' : `: ${said}`}`)
        })
      }),
  }
}

function whyNotStarted(program: string, { code, message }: NodeJS.ErrnoException): string {
  if (code !== 'ENOENT') return message
  if (path.isAbsolute(program)) return `there is no ${program}`
  return `there is no ${program} ${program.includes('/') ? `in ${process.cwd()}` : 'on PATH'}`
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // it has just ended
  }
}
