/** Mounts glass where a test can be alone with it, runs a program on it, and says in JSON what is left afterwards. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { command } from '../../../dist/sandbox/command.js'
import { glass } from '../../../dist/volume/glass.js'

const WRITERS = 10
const [what, program] = process.argv.slice(2)

await command('mount', '-n', '-t', 'tmpfs', 'test', '/mnt')
const place = await mkdtemp('/mnt/glass-')
const volume = await glass.mount({ kind: 'glass', size: 256 * 1024 * 1024 }, place, { uid: 0, gid: 0 })

const result = what === 'kill' ? await killUnderWriters() : await runProgram()
const failure = volume.failure()?.message
await volume.unmount()
const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
const left = mounts.filter((line) => line.includes('fuse'))
process.stdout.write(JSON.stringify({ ...result, left, failure }))
process.exit(0)

/** Ten programs write and sync, and in the middle of that the server is killed. */
async function killUnderWriters() {
  const files = Array.from({ length: WRITERS }, (_, index) => path.join(volume.data, `file-${index}`))
  const writers = files.map((file) =>
    spawn('dd', ['if=/dev/zero', `of=${file}`, 'bs=4k', 'oflag=dsync', 'status=none'], { stdio: 'ignore' }),
  )
  const ended = writers.map((writer) => once(writer, 'exit'))
  while (!(await everyGrew(files))) await sleep(10)
  process.kill(volume.serverPid, 'SIGKILL')
  const codes = (await Promise.all(ended)).map(([code]) => code)
  await mkdir(path.join(volume.data, 'after')).catch((error) => {
    codes.push(error.code)
  })
  return { codes, stuck: await stuck() }
}

async function everyGrew(files) {
  const sizes = await Promise.all(files.map((file) => stat(file).catch(() => ({ size: 0 }))))
  return sizes.every(({ size }) => size > 100_000)
}

/** Processes that wait for what does not come: state D. */
async function stuck() {
  const pids = await command('ps', '-e', '-o', 'pid=,stat=')
  return pids.split('\n').filter((line) => /\bD/.test(line))
}

async function runProgram() {
  const child = spawn('python3', [program, volume.data], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk
    })
  const [code] = await once(child, 'close')
  return { code, output }
}
