/**
 * Stories are small programs that tests run where a test itself can't go: in a mount namespace, as another user, until
 * it is killed. A story that ends without a word went well.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll } from 'vitest'

const SOURCE = fileURLToPath(new URL('../..', import.meta.url))
const TSC = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url))
const OPTIONS =
  '--ignoreConfig --module nodenext --target es2023 --lib es2023 --types node --skipLibCheck --strict'

export const isRoot = process.getuid?.() === 0
const NAMESPACE = ['unshare', ...(isRoot ? [] : ['--user', '--map-root-user']), '--mount']

/** Whether this host lets us mount in a namespace of our own. */
export const canMount = works([...NAMESPACE, 'mount', '-t', 'tmpfs', 'none', '/mnt'])
/** Whether root can put a file system on a loop device. */
export const canLoop = isRoot && canMount && works(['mkfs.ext4', '-V']) && works(['losetup', '--find'])
export const canPrlimit = works(['prlimit', '--version'])

function works([file, ...args]: string[]): boolean {
  return spawnSync(file!, args, { stdio: 'ignore' }).status === 0
}

/** Compiles a story and what it imports, once for a test file; the function runs it. */
export function compileStory(name: string) {
  const out = mkdtempSync(join(tmpdir(), 'story-'))
  const program = join(out, 'testing', 'lightning', `${name}.js`)
  beforeAll(() => {
    const options = [...OPTIONS.split(' '), '--rootDir', SOURCE, '--outDir', out]
    execFileSync(process.execPath, [TSC, ...options, join(SOURCE, 'testing', 'lightning', `${name}.ts`)])
    execFileSync('chmod', ['-R', 'a+rX', out])
  }, 60_000)
  afterAll(() => rmSync(out, { recursive: true }))
  return {
    program,
    /** Runs a chapter in a mount namespace of its own. */
    mounted: (...args: string[]) => tell([...NAMESPACE, process.execPath, program, ...args]),
    /** Runs a chapter as it is. */
    plain: (...args: string[]) => tell([process.execPath, program, ...args]),
  }
}

function tell([file, ...args]: string[]): void {
  const { status, signal, stdout, stderr } = spawnSync(file!, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${signal ?? `exit ${status}`}: ${stdout}${stderr}`)
}
