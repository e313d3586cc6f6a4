/** Declares the verbs of drills. What they do is imported when one is called. */
import { type Command, Option } from 'commander'
import type { FaultName, Rate } from '../../drill/plan.js'
import { ExitCode, UsageError } from '../../errors.js'
import { parseCount, parseDuration, parsePercent } from '../options.js'
import type { Screen } from '../screen.js'
import { DEFAULT_RATE, DRILL_DEFAULTS } from './defaults.js'
import { FAULTS, type FaultDeclaration } from './faults.js'
import { collect, parseLoad, parseNumber, parsePath, parseSizeOption } from './options.js'
import type { DrillOptions } from './run.js'
import { smallVolume } from './small-volume.js'
import type { DrillSpec } from './spec.js'

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
    reporterOptions(withDoingOptions(withDrillOptions(faultCommand(drill, name, declaration))))
      .option('--save <file>', 'keep the drill in a file, and do nothing', parsePath)
      .action(async (options: FaultOptions) => {
        const { doDrill } = await import('./run.js')
        process.exitCode = await doDrill(specOf(name as FaultName, options), options, await screen())
      })
  }
  reporterOptions(withDoingOptions(stateOption(drill.command('run').description('do the drill of a file'))))
    .argument('<file>', 'a drill, as --save writes it')
    .action(async (file: string, options: DrillOptions) => {
      const { readDrillFile } = await import('./spec.js')
      const { doDrill } = await import('./run.js')
      process.exitCode = await doDrill(await readDrillFile(file), options, await screen())
    })
  drill
    .command('export')
    .description('write the drill of a file as an experiment of the Chaos Toolkit, to stdout')
    .argument('<file>', 'a drill, as --save writes it')
    .addOption(new Option('--chaostoolkit', 'the form').makeOptionMandatory())
    .action(async (file: string) => {
      const { drillExport } = await import('./export.js')
      await drillExport(file, await screen())
    })
  drill
    .command('probe')
    .description('ask once whether a service works: exits with 0 if so, else with 1')
    .argument('<command|url>', 'what --probe takes')
    .addOption(
      durationOption('--probe-timeout', 'longest wait for the answer', DRILL_DEFAULTS.probeTimeoutMs),
    )
    .action(async (probe: string, { probeTimeout }: { probeTimeout: number }) => {
      const { drillProbe } = await import('./probe.js')
      process.exitCode = await drillProbe(probe, probeTimeout, await screen())
    })
  stateOption(drill.command('undo').description('undo whatever is active, from its journal; safe to repeat'))
    .option('--all', 'everything that is active (there is never more than one)')
    .action(async (options: { state?: string }) => {
      const { drillUndo } = await import('./undo.js')
      process.exitCode = await drillUndo(options, await screen())
    })
  stateOption(drill.command('status').description('say whether a drill is active, and what it changed'))
    .option('--json', 'as JSON')
    .option('--check', 'exit with 1 where one is active')
    .action(async (options: { state?: string; json?: true; check?: true }) => {
      const { drillStatus } = await import('./status.js')
      const isActive = await drillStatus(options, await screen())
      if (options.check && isActive) process.exitCode = ExitCode.gateMissed
    })
}

function faultCommand(
  drill: Command,
  name: string,
  { about, needs, leave, reserved, rate, volume }: FaultDeclaration,
): Command {
  const command = drill.command(name).description(about)
  if (needs === 'path') {
    command
      .requiredOption('--path <directory>', 'where the data of the service is', parsePath)
      .option('--attach-workload', 'prove beside that no acked write is lost, in a directory below it')
      .option('--target <name>', 'with what: a bundled database, or a target file')
      .option('--target-cmd <command>', 'or the command of an adapter; {dir} becomes its directory')
      .option('--allow-root-filesystem', 'also on a file system that the system or the undo journal needs')
  }
  if (leave !== undefined) {
    const [parse, placeholder] = leave.unit === 'size' ? [parseSizeOption, '<size>'] : [parseNumber, '<n>']
    command.addOption(
      new Option(`--leave ${placeholder}`, leave.about).argParser(parse).default(leave.default),
    )
  }
  if (rate) {
    command
      .addOption(
        new Option('--bytes-per-second <size>', 'what is still read, and written, in a second')
          .argParser(parseSizeOption)
          .default(DEFAULT_RATE, '1MiB'),
      )
      .option('--operations-per-second <n>', 'how many operations, beside', parseCount)
  }
  if (volume) {
    command
      .addOption(
        new Option('--size <size>', 'of the volume').argParser(parseSizeOption).makeOptionMandatory(),
      )
      .option('--stop-cmd <command>', 'stops the service, where it is no unit of systemd')
      .option('--start-cmd <command>', 'starts it; has to be safe to repeat')
  }
  if (reserved) command.option('--reserved', 'fill the blocks that are reserved for root, too')
  return command
}

function withDrillOptions(command: Command): Command {
  return stateOption(command)
    .addOption(durationOption('--for', 'how long the fault stays', DRILL_DEFAULTS.forMs))
    .addOption(
      new Option(
        '--pid <n>',
        'a process of the service: whose rights count, and whose failed calls are traced',
      )
        .argParser(parseCount)
        .conflicts('service'),
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
    .addOption(durationOption('--every', 'from one question to the next', DRILL_DEFAULTS.everyMs))
    .addOption(
      durationOption('--probe-timeout', 'longest wait for one answer', DRILL_DEFAULTS.probeTimeoutMs),
    )
    .addOption(
      durationOption('--recover', 'longest until every probe passes after it', DRILL_DEFAULTS.recoverMs),
    )
    .addOption(
      new Option('--steady <n>', 'how often each probe has to pass before it')
        .argParser(parseCount)
        .default(3),
    )
    .addOption(
      new Option('--rounds <n>', 'how often the drill is done')
        .argParser(parseCount)
        .default(DRILL_DEFAULTS.rounds),
    )
    .option('--abort-if <command|url>', 'undo at once when this succeeds')
    .option('--max-load <n>', 'undo when the load of a minute is above this', parseLoad)
    .option(
      '--min-free-elsewhere <size>',
      'undo when less is free on the root file system or with the journal',
      parseSizeOption,
    )
    .addOption(
      new Option('--gate <percent>', 'pass rate that the gate asks for')
        .argParser(parsePercent)
        .default(DRILL_DEFAULTS.gate, '95'),
    )
}

/** What is not of the drill, but of this time. */
function withDoingOptions(command: Command): Command {
  return command
    .option('--dry-run', 'say what would be done and undone, and do nothing')
    .option('--yes', 'do not ask')
}

function stateOption(command: Command): Command {
  return command.option(
    '--state <directory>',
    'where the undo journal is (root: /var/lib/lightning-chaos)',
    parsePath,
  )
}

function durationOption(name: string, about: string, milliseconds: number): Option {
  return new Option(`${name} <duration>`, about)
    .argParser(parseDuration)
    .default(milliseconds, `${milliseconds / 1000}s`)
}

/** What commander makes of the options; durations in milliseconds. */
interface FaultOptions extends DrillOptions {
  readonly path?: string
  readonly attachWorkload?: true
  readonly target?: string
  readonly targetCmd?: string
  readonly allowRootFilesystem?: true
  readonly leave?: number
  readonly reserved?: true
  readonly size?: number
  readonly stopCmd?: string
  readonly startCmd?: string
  readonly bytesPerSecond?: number
  readonly operationsPerSecond?: number
  readonly pid?: number
  readonly service?: string
  readonly user?: string
  readonly for: number
  readonly every: number
  readonly probeTimeout: number
  readonly recover: number
  readonly probe?: readonly string[]
  readonly expectDuring: 'pass' | 'fail' | 'any'
  readonly expectError?: string
  readonly steady: number
  readonly rounds: number
  readonly gate: number
  readonly abortIf?: string
  readonly maxLoad?: number
  readonly minFreeElsewhere?: number
}

function specOf(fault: FaultName, options: FaultOptions): DrillSpec {
  const { path, pid, service, user, steady, rounds, gate, abortIf, maxLoad, minFreeElsewhere } = options
  const { probe = [], expectDuring: during, expectError: says } = options
  if (probe.length === 0 && (during !== 'any' || says !== undefined)) {
    throw new UsageError('nothing is expected of a drill without probes', { hint: 'add one: --probe CMD' })
  }
  return {
    ...{ fault, path, pid, service, user, steady, rounds, gate, abortIf, maxLoad, minFreeElsewhere },
    allowRootFilesystem: options.allowRootFilesystem ?? false,
    leave: options.leave ?? 0,
    reserved: options.reserved ?? false,
    rate: rateOf(options),
    volume: volumeFor(options),
    probes: probe.map((ask) => ({ ask, during, says })),
    attach: attachmentOf(options),
    forMs: options.for,
    everyMs: options.every,
    probeTimeoutMs: options.probeTimeout,
    recoverMs: options.recover,
  }
}

function attachmentOf({ attachWorkload, target, targetCmd }: FaultOptions): DrillSpec['attach'] {
  if (attachWorkload) return { target, targetCmd }
  if (target === undefined && targetCmd === undefined) return undefined
  throw new UsageError('--target is the target of a workload', { hint: 'add --attach-workload' })
}

function rateOf({ bytesPerSecond, operationsPerSecond }: FaultOptions): Rate | undefined {
  if (bytesPerSecond === undefined) return undefined
  return { bytesPerSecond, ...(operationsPerSecond === undefined ? {} : { operationsPerSecond }) }
}

function volumeFor({
  size,
  stopCmd: stop,
  startCmd: start,
  service: unit,
}: FaultOptions): DrillSpec['volume'] {
  return size === undefined ? undefined : smallVolume(size, { stop, start, unit })
}

const HELP = `
Examples:
  lightning-chaos drill diskfull --path /var/lib/mydb --leave 1MiB --for 60s --probe ./check.sh
  lightning-chaos drill diskfull --path /var/lib/mydb --dry-run
  lightning-chaos drill status
  lightning-chaos drill undo`
