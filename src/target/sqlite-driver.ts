/** Finds a SQLite that this host already has. Each candidate is tried by running it, as what runs is what counts. */
import { execFile } from 'node:child_process'
import { createRequire, isBuiltin } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HostError } from '../errors.js'

type Command = readonly [string, ...string[]]

const PATIENCE_MS = 10_000
const NOBODY = 65_534

/** Isolated from the user's Python set-up, no site packages, nothing written beside the source, unbuffered. */
const PYTHON_FLAGS = ['-I', '-S', '-B', '-u']
const PYTHONS = ['/usr/bin/python3', '/usr/local/bin/python3', 'python3']

/**
 * The command that starts the SQLite adapter with the first driver that works.
 *
 * @param cwd where better-sqlite3 may be installed: the user's project
 * @throws HostError where there is none; its hint names the ways to get one
 */
export async function sqliteCommand(cwd: string): Promise<Command> {
  const command = builtIn() ?? (await betterSqlite(cwd)) ?? (await python())
  if (command !== undefined) return command
  throw new HostError('no SQLite driver found on this host', {
    hint: [
      'any one of these gives it:',
      "  Node 22.13 or later, which has node:sqlite (run 'nvm install 22')",
      "  better-sqlite3 in this project (run 'npm install better-sqlite3')",
      "  python3 with its sqlite3 module (run 'apt-get install python3', or 'dnf install python3')",
    ].join('\n'),
  })
}

/** `path` below the root of this package; this file is two levels below it, compiled or not. */
function packaged(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url))
}

const nodeAdapter = packaged('dist/target/adapters/sqlite.js')
const pythonAdapter = packaged('src/target/adapters/sqlite.py')

function builtIn(): Command | undefined {
  // Not by loading it: that prints a warning.
  if (!isBuiltin('node:sqlite')) return undefined
  return [process.execPath, '--disable-warning=ExperimentalWarning', nodeAdapter, 'node:sqlite']
}

async function betterSqlite(cwd: string): Promise<Command | undefined> {
  let path: string
  try {
    path = createRequire(join(cwd, 'package.json')).resolve('better-sqlite3')
  } catch {
    // MODULE_NOT_FOUND: not installed.
    return undefined
  }
  const script = 'new (require(process.argv[1]))(":memory:").close()'
  const works = await output([process.execPath, '-e', script, path])
  return works === undefined ? undefined : [process.execPath, nodeAdapter, path]
}

/**
 * Prefers a Python that nobody may run: under root the target is another user, who cannot look into root's home.
 * The probe tells its real path, as a shim (pyenv's, say) runs a shell for each start.
 */
async function python(): Promise<Command | undefined> {
  const script = 'import sqlite3, sys; print(sys.executable, end="")'
  const identities = process.geteuid?.() === 0 ? [{ uid: NOBODY, gid: NOBODY }, {}] : [{}]
  for (const identity of identities) {
    for (const candidate of PYTHONS) {
      const executable = await output([candidate, ...PYTHON_FLAGS, '-c', script], identity)
      if (executable) return [executable, ...PYTHON_FLAGS, pythonAdapter]
    }
  }
  return undefined
}

/** What the command wrote to stdout; undefined where it failed, whyever: it is no driver then. */
function output(
  [program, ...args]: Command,
  identity: { uid?: number; gid?: number } = {},
): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, args, { ...identity, timeout: PATIENCE_MS, killSignal: 'SIGKILL' }, (error, stdout) => {
      resolve(error === null ? stdout : undefined)
    })
  })
}
