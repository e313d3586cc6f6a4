/** `lightning-chaos db DIR COMMAND`: a look inside a database of the bundled kind. */
import { ExitCode, UsageError } from '../errors.js'
import {
  LightningError,
  type OpenOptions,
  Store,
  salvage,
  type Verification,
  verify,
} from '../lightning/index.js'

/** Where a command writes; streams such as process.stdout fit. */
export interface DbOutput {
  readonly stdout: { write(text: string | Uint8Array): unknown }
  readonly stderr: { write(text: string): unknown }
}

/** A command: its arguments as the help shows them, and what it does. Answers the exit code. */
interface Command {
  readonly arguments: string
  readonly about: string
  run(dir: string, args: readonly string[], output: DbOutput): Promise<ExitCode>
}

const READ: OpenOptions = { readOnly: true }
/** A visitor sets no room aside: that is for the program that the database belongs to. */
const WRITE: OpenOptions = { reserveSize: 0 }

export const DB_COMMANDS: Readonly<Record<string, Command>> = {
  get: {
    arguments: 'KEY',
    about: 'print the value of a key',
    run: (dir, [key], { stdout, stderr }) =>
      withStore(dir, READ, async (store) => {
        const value = await store.get(key!)
        if (value === undefined) {
          stderr.write(`no such key: ${key}\n`)
          return ExitCode.gateMissed
        }
        stdout.write(value)
        stdout.write('\n')
        return ExitCode.gateMet
      }),
  },
  put: {
    arguments: 'KEY VALUE',
    about: 'set the value of a key',
    run: (dir, [key, value]) =>
      withStore(dir, WRITE, async (store) => {
        await store.put(key!, value!)
        return ExitCode.gateMet
      }),
  },
  delete: {
    arguments: 'KEY',
    about: 'remove a key',
    run: (dir, [key]) =>
      withStore(dir, WRITE, async (store) => {
        await store.delete(key!)
        return ExitCode.gateMet
      }),
  },
  scan: {
    arguments: '[AFTER]',
    about: 'print all keys and values in order, as JSON, one entry a line',
    run: (dir, [after], { stdout }) =>
      withStore(dir, READ, async (store) => {
        const limit = 1000
        for (let from = after; ; ) {
          const entries = await store.scan(from === undefined ? { limit } : { after: from, limit })
          for (const [key, value] of entries) stdout.write(`${JSON.stringify([key, value.toString()])}\n`)
          if (entries.length < limit) return ExitCode.gateMet
          from = entries.at(-1)![0]
        }
      }),
  },
  verify: {
    arguments: '',
    about: 'read everything and list all damage; exits 1 where there is some',
    run: async (dir, _, { stdout }) => {
      const found = await verify(dir)
      for (const line of describe(found)) stdout.write(`${line}\n`)
      return found.damage.length === 0 ? ExitCode.gateMet : ExitCode.gateMissed
    },
  },
  compact: {
    arguments: '',
    about: 'rewrite the log without what no longer counts',
    run: (dir, _, { stdout }) =>
      withStore(dir, WRITE, async (store) => {
        const before = store.stats().bytes
        await store.compact()
        stdout.write(`${before} bytes before, ${store.stats().bytes} after\n`)
        return ExitCode.gateMet
      }),
  },
  stats: {
    arguments: '',
    about: 'print figures, as JSON',
    run: (dir, _, { stdout }) =>
      withStore(dir, READ, async (store) => {
        stdout.write(`${JSON.stringify(store.stats(), null, 2)}\n`)
        return ExitCode.gateMet
      }),
  },
  salvage: {
    arguments: 'TO',
    about: 'copy all that is whole into a new database; exits 1 where something was damaged',
    run: async (dir, [to], { stdout }) => {
      const found = await salvage(dir, to!)
      for (const line of describe(found)) stdout.write(`${line}\n`)
      stdout.write(`${found.writes} writes were kept in ${to}\n`)
      return found.damage.length === 0 ? ExitCode.gateMet : ExitCode.gateMissed
    },
  },
}

/**
 * Runs a command on the database in `dir`.
 * @returns the exit code: 1 where the key is not there, damage was found, or the database refused
 * @throws UsageError where the command is unknown or its arguments are not those it takes
 */
export async function db(
  dir: string,
  name: string,
  args: readonly string[],
  output: DbOutput,
): Promise<ExitCode> {
  const command = Object.hasOwn(DB_COMMANDS, name) ? DB_COMMANDS[name]! : undefined
  if (command === undefined) {
    throw new UsageError(`there is no command '${name}'`, {
      hint: `one of ${Object.keys(DB_COMMANDS).join(', ')}`,
    })
  }
  const wanted = command.arguments.split(' ').filter(Boolean)
  const needed = wanted.filter((argument) => !argument.startsWith('['))
  if (args.length < needed.length || args.length > wanted.length) {
    throw new UsageError(`wrong number of arguments`, {
      hint: `db ${dir} ${name} ${command.arguments}`.trim(),
    })
  }
  try {
    return await command.run(dir, args, output)
  } catch (error) {
    if (!(error instanceof LightningError)) throw error
    output.stderr.write(`${error.message}\n`)
    return ExitCode.gateMissed
  }
}

async function withStore(
  dir: string,
  options: OpenOptions,
  work: (store: Store) => Promise<ExitCode>,
): Promise<ExitCode> {
  const store = await Store.open(dir, options)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

function describe({ damage, tornTail, segments, frames }: Verification): string[] {
  const lines = damage.map(({ file, offset, bytes, reason }) => {
    const extent = bytes === 0 ? '' : `, ${bytes} bytes`
    return `damage: ${file}, byte ${offset}${extent}: ${reason}`
  })
  if (tornTail !== undefined) {
    const { file, offset, bytes } = tornTail
    lines.push(`unfinished commit: ${file}, byte ${offset}, ${bytes} bytes; the next open cuts it off`)
  }
  lines.push(`${segments} segments, ${frames} whole commits, ${damage.length} damaged places`)
  return lines
}
