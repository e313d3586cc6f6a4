/** A Slurm of one node on this machine, for one test: slurmctld(8), slurmd(8), munged(8). */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'

const PATIENCE_MS = 30_000

interface Slurm {
  /** For sbatch and its kin. */
  readonly env: Readonly<Record<string, string>>
  /** Ends all of it. */
  close(): Promise<void>
}

/** @param directory for its files, made here. All daemons live in one pid namespace, and die with this process. */
export async function startSlurm(directory: string): Promise<Slurm> {
  await mkdir(directory, { mode: 0o700 })
  const file = (name: string) => path.join(directory, name)
  await Promise.all(['state', 'spool'].map((name) => mkdir(file(name))))
  await writeFile(file('key'), randomBytes(128), { mode: 0o600 })
  await writeFile(file('slurm.conf'), configuration(file, await Promise.all([freePort(), freePort()])))
  const env = { SLURM_CONF: file('slurm.conf') }

  const munged = [
    '--force',
    '--foreground',
    ...['key-file=key', 'socket=munge.socket', 'pid-file=munge.pid', 'seed-file=munge.seed'].map((option) => {
      const [name, value] = option.split('=')
      return `--${name}=${file(value!)}`
    }),
  ]
  const daemons = `munged ${munged.join(' ')} & slurmctld -D & slurmd -D & wait`
  const chain = ['--pdeathsig', 'KILL', 'unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
  const child = spawn('setpriv', [...chain, 'sh', '-c', daemons], {
    stdio: 'ignore',
    env: { ...process.env, ...env },
  })
  const close = async () => {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(100)) {
    const { stdout } = await execa('sinfo', ['--noheader', '--format=%T'], { env, reject: false })
    if (stdout === 'idle') return { env, close }
    if (Date.now() < deadline) continue
    await close()
    throw new Error('Slurm did not start')
  }
}

function configuration(file: (name: string) => string, [controller, node]: readonly number[]): string {
  const name = hostname().split('.')[0]
  const settings = {
    ClusterName: 'test',
    SlurmctldHost: `${name}(127.0.0.1)`,
    SlurmctldPort: controller,
    SlurmdPort: node,
    SlurmUser: 'root',
    AuthInfo: `socket=${file('munge.socket')}`,
    StateSaveLocation: file('state'),
    SlurmdSpoolDir: file('spool'),
    SlurmctldPidFile: file('slurmctld.pid'),
    SlurmdPidFile: file('slurmd.pid'),
    ProctrackType: 'proctrack/linuxproc',
    TaskPlugin: 'task/none',
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_CPU',
    // four processors, whatever there is
    SlurmdParameters: 'config_overrides',
    NodeName: `${name} NodeAddr=127.0.0.1 CPUs=4`,
    PartitionName: `main Nodes=${name} Default=YES`,
  }
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
