/** Mounts glass where a test can be alone with it, runs a program on it, and says in JSON what is left afterwards. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { command } from '../../../dist/sandbox/command.js'
import { glass } from '../../../dist/volume/glass.js'

const WRITERS = 10
const [what, program] = process.argv.slice(2)

await command('mount', '-n', '-t', 'tmpfs', 'test', '/mnt')
const place = await mkdtemp('/mnt/glass-')
const volume = await glass.mount({ kind: 'glass', size: 256 * 1024 * 1024 }, place, { uid: 0, gid: 0 })

const TRIES = { kill: killUnderWriters, pages: failPages, run: () => python(program, volume.data) }
const result = await TRIES[what]()
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

/** What a program meets that has a file mapped, while its reads fail, after that, and while its writes fail. */
async function failPages() {
  const { client } = volume.glass
  const file = path.join(volume.data, 'mapped')
  await writeFile(file, Buffer.alloc(8192, 'a'))
  const mapped = `import mmap, os; pages = mmap.mmap(os.open('${file}', os.O_RDWR), 8192)`
  const under = async (operation, code) => {
    const effect = { do: 'error', errno: 'EIO' }
    const rule = await client.add({ operations: [operation], path: '**', effect }, 'seed')
    const met = await python('-c', `${mapped}; ${code}`)
    await client.remove(rule)
    return met
  }
  const read = 'print(pages[4096:4097].decode())'
  return {
    read: await under('read', read),
    readAfter: await python('-c', `${mapped}; ${read}`),
    written: await under('write', "pages[0:1] = b'b'; pages.flush()"),
  }
}

async function python(...args) {
  const child = spawn('python3', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk
    })
  const [code, signal] = await once(child, 'close')
  return { code, signal, output }
}
