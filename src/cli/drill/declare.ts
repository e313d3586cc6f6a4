/** Declares the verbs of drills. What they do is imported when one is called. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { FaultName } from '../../drill/plan.js'
import { parseSize } from '../../scenario/size.js'
import { parseCount, parseDuration, parsePercent } from '../options.js'
import type { Screen } from '../screen.js'
import type { DrillOptions } from './run.js'

interface FaultDeclaration {
  readonly about: string
  readonly needs: 'path' | 'process'
  /** What --leave means, where the fault has it. */
  readonly leave?: { readonly unit: 'size' | 'count'; readonly about: string; readonly default: number }
  readonly reserved?: true
}

const FAULTS: Readonly<Record<FaultName, FaultDeclaration>> = {
  diskfull: {
    about: 'fill the file system that holds a directory',
    needs: 'path',
    leave: { unit: 'size', about: 'room to leave', default: 0 },
    reserved: true,
  },
  inodes: {
    about: 'use up every inode of the file system that holds a directory',
    needs: 'path',
    leave: { unit: 'count', about: 'inodes to leave', default: 0 },
  },
  permissions: { about: 'take the write bits of a directory and of everything in it', needs: 'path' },
  readonly: { about: 'mount a directory upon itself, read-only', needs: 'path' },
  stall: { about: 'freeze the file system that holds a directory', needs: 'path' },
  pause: { about: 'stop the processes of a service, and let them go on', needs: 'process' },
  kill: {
    about: 'kill the main process of a service, for its supervisor to start it again',
    needs: 'process',
  },
  'fd-limit': { about: 'let the processes of a service open nothing more', needs: 'process' },
}

/**
 * @param screen where to print
 * @param reporterOptions declares the options of what makes reports
 */
export function declareDrills(
  root: Command,
  screen: () => Promise<Screen>,
  reporterOptions: (command: Command) => Command,
): void {
  const drill = root
    .command('drill')
    .description('break a real staging host for a while, and give everything back')
    .addHelpText('after', HELP)
  for (const [name, declaration] of Object.entries(FAULTS)) {
    reporterOptions(withDrillOptions(faultCommand(drill, name, declaration))).action(
      async (options: DrillOptions) => {
        const { drillFault } = await import('./run.js')
        process.exitCode = await drillFault(name as FaultName, options, await screen())
      },
    )
  }
  stateOption(drill.command('undo').description('undo whatever is active, from its journal; safe to repeat'))
    .option('--all', 'everything that is active (there is never more than one)')
    .action(async (options: { state?: string }) => {
      const { drillUndo } = await import('./undo.js')
      process.exitCode = await drillUndo(options, await screen())
    })
  stateOption(drill.command('status').description('say whether a drill is active, and what it changed'))
    .option('--json', 'as JSON')
    .action(async (options: { state?: string; json?: true }) => {
      const { drillStatus } = await import('./status.js')
      await drillStatus(options, await screen())
    })
}

function faultCommand(
  drill: Command,
  name: string,
  { about, needs, leave, reserved }: FaultDeclaration,
): Command {
  const command = drill.command(name).description(about)
  if (needs === 'path') {
    command
      .requiredOption('--path <directory>', 'where the data of the service is')
      .option('--allow-root-filesystem', 'also on a file system that the system or the undo journal needs')
  }
  if (leave !== undefined) {
    const [parse, placeholder] = leave.unit === 'size' ? [size, '<size>'] : [count, '<n>']
    command.addOption(
      new Option(`--leave ${placeholder}`, leave.about).argParser(parse).default(leave.default),
    )
  }
  if (reserved) command.option('--reserved', 'fill the blocks that are reserved for root, too')
  return command
}

function withDrillOptions(command: Command): Command {
  return stateOption(command)
    .addOption(durationOption('--for', 'how long the fault stays', 60_000))
    .option(
      '--pid <n>',
      'a process of the service: whose rights count, and whose failed calls are traced',
      parseCount,
    )
    .option('--service <unit>', 'the same, of a unit of systemd')
    .option(
      '--user <name>',
      "whose rights the service has (default: that of the process, else the directory's owner)",
    )
    .option('--probe <command|url>', 'ask whether the service works; may be given several times', collect)
    .addOption(
      new Option('--expect-during <what>', 'what every probe does while the fault is on')
        .choices(['pass', 'fail', 'any'])
        .default('any'),
    )
    .option('--expect-error <text>', 'what every failure of a probe says while the fault is on')
    .addOption(durationOption('--every', 'from one question to the next', 1000))
    .addOption(durationOption('--probe-timeout', 'longest wait for one answer', 5000))
    .addOption(durationOption('--recover', 'longest until every probe passes after it', 30_000))
    .addOption(
      new Option('--steady <n>', 'how often each probe has to pass before it')
        .argParser(parseCount)
        .default(3),
    )
    .addOption(new Option('--rounds <n>', 'how often the drill is done').argParser(parseCount).default(1))
    .option('--abort-if <command|url>', 'undo at once when this succeeds')
    .option('--max-load <n>', 'undo when the load of a minute is above this', parseLoad)
    .option(
      '--min-free-elsewhere <size>',
      'undo when less is free on the root file system or with the journal',
      size,
    )
    .option('--dry-run', 'say what would be done and undone, and do nothing')
    .option('--yes', 'do not ask')
    .addOption(
      new Option('--gate <percent>', 'pass rate that the gate asks for')
        .argParser(parsePercent)
        .default(0.95, '95'),
    )
}

function stateOption(command: Command): Command {
  return command.option('--state <directory>', 'where the undo journal is (root: /var/lib/lightning-chaos)')
}

function durationOption(name: string, about: string, milliseconds: number): Option {
  return new Option(`${name} <duration>`, about)
    .argParser(parseDuration)
    .default(milliseconds, `${milliseconds / 1000}s`)
}

function size(text: string): number {
  const bytes = parseSize(text)
  if (bytes === undefined) throw new InvalidArgumentError("Expected a size, such as '1MiB'.")
  return bytes
}

function count(text: string): number {
  return text === '0' ? 0 : parseCount(text)
}

function parseLoad(text: string): number {
  const load = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(load > 0)) throw new InvalidArgumentError('Expected a number above 0.')
  return load
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text]
}

const HELP = `
Examples:
  lightning-chaos drill diskfull --path /var/lib/mydb --leave 1MiB --for 60s --probe ./check.sh
  lightning-chaos drill diskfull --path /var/lib/mydb --dry-run
  lightning-chaos drill status
  lightning-chaos drill undo`
