// Glass against what else can fail a file system's operations, and against native tmpfs: operations a second, side by side
// in one run, everything on one processor. Needs root and python3. What was not built is left out, and that is said:
//
//     PASSTHROUGH_LL=…/passthrough_ll LAZYFS=…/lazyfs node bench/glass.js [WORKLOAD…]
import { execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { median, row } from './figures.js'

const ROUNDS = 7
const SECONDS = 0.5
const WORKLOADS = [
  'append+fdatasync',
  'write-4k',
  'pread-4k',
  'rename-cycle',
  'sqlite-wal',
  'sqlite-rollback',
]
const run = promisify(execFile)
const CLIENT = path.join(import.meta.dirname, 'glass-client.py')

// mounts of our own, which are gone with us, and one processor for servers and clients
if (process.env.BENCH_INSIDE === undefined) {
  const again = [process.execPath, import.meta.filename, ...process.argv.slice(2)]
  const inside = ['taskset', '--cpu-list', '0', 'unshare', '--mount', ...again]
  execFileSync('env', ['BENCH_INSIDE=1', ...inside], { stdio: 'inherit' })
} else {
  await main()
}

async function main() {
  const { glass } = await import('../dist/volume/glass.js')
  const place = mkdtempSync('/dev/shm/lightning-chaos-bench-')
  execFileSync('mount', ['-t', 'tmpfs', 'bench', place])
  const volume = await glass.mount({ kind: 'glass', size: 2 ** 32 }, directory(place, 'glass'), {
    uid: 0,
    gid: 0,
  })
  const systems = { tmpfs: { at: directory(place, 'native') }, glass: { at: volume.data } }
  const served = []
  const serve = (name, program, args) => {
    if (program === undefined) return console.log(`${name}: left out, it is not built`)
    const source = directory(place, `${name}-source`)
    const at = directory(place, name)
    served.push(spawn(program, args(source, at), { stdio: 'ignore' }))
    systems[name] = { at }
  }
  serve('passthrough_ll', process.env.PASSTHROUGH_LL, (source, at) => [
    '-s',
    '-f',
    '-o',
    `source=${source}`,
    at,
  ])
  const lazyfs = (name, isLogged, ...mountOptions) => {
    const config = path.join(place, `${name}.toml`)
    const log = isLogged ? path.join(place, `${name}.log`) : ''
    writeFileSync(
      config,
      `[faults]\nfifo_path="${place}/${name}.fifo"\n[cache]\napply_eviction=false\n[cache.simple]\ncustom_size="2gb"\nblocks_per_page=1\n[filesystem]\nlog_all_operations=${isLogged}\nlogfile="${log}"\n`,
    )
    serve(name, process.env.LAZYFS, (source, at) => [
      ...[at, '--config-path', config, '-o', 'allow_other', '-o', 'modules=subdir', '-o', `subdir=${source}`],
      ...mountOptions,
      ...['-s', '-f'],
    ])
  }
  lazyfs('lazyfs', false)
  // what glass does, too: it checks permissions, and keeps a trace
  lazyfs('lazyfs-checked-and-logged', true, '-o', 'default_permissions')
  // a rule that never comes true: what it costs to be able to fail a call
  const inject = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=write,pwrite64,pread64,fsync,fdatasync,rename']
  const never = [...inject, '-e', 'inject=write,pwrite64,pread64,fsync,fdatasync,rename:error=EIO:when=65535']
  if (existsSync('/usr/bin/strace'))
    systems.strace = { at: directory(place, 'strace'), before: ['strace', ...never] }
  await sleep(1000)
  for (const { at } of served.map((_, index) => Object.values(systems)[index + 2] ?? {})) await mounted(at)

  const wanted = process.argv.slice(2)
  for (const workload of wanted.length > 0 ? wanted : WORKLOADS) {
    const figures = Object.fromEntries(Object.keys(systems).map((name) => [name, []]))
    for (let round = 0; round < ROUNDS; round += 1)
      for (const [name, system] of Object.entries(systems))
        figures[name].push(await measure(system, workload))
    for (const [name, found] of Object.entries(figures)) {
      const ratios = found.map((each, round) => figures.glass[round] / each)
      const against = name === 'glass' ? '' : `, glass ${median(ratios).toFixed(2)}x (${spread(ratios)})`
      row(`${workload}, ${name}`, `${Math.round(median(found)).toLocaleString('en')}/s${against}`)
    }
  }
  for (const server of served) server.kill('SIGKILL')
  await volume.unmount()
  execFileSync('umount', ['--lazy', place])
}

function directory(place, name) {
  const at = path.join(place, name)
  mkdirSync(at)
  return at
}

async function mounted(at) {
  while (at !== undefined && statSync(at).dev === statSync(path.dirname(at)).dev) await sleep(50)
}

/** @returns operations a second */
async function measure({ at, before = [] }, workload) {
  const [program, ...args] = [...before, 'python3', CLIENT, at, workload, String(SECONDS)]
  return Number((await run(program, args)).stdout)
}

function spread(ratios) {
  return `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`
}
