/**
 * The command line: declares verbs and options, and loads the code of a verb when it is called. Everything that an
 * action needs is imported inside it: `--help` has to be there at once.
 */
import { Command, CommanderError, Option } from 'commander'
import { ChaosError, ExitCode } from '../errors.js'
import { declareDrills } from './drill/declare.js'
import type { InitOptions } from './init.js'
import type { MergeOptions } from './merge.js'
import {
  DEFAULT_LIMITS,
  LANGUAGES,
  parseConfidence,
  parseCount,
  parseDuration,
  parseIsolation,
  parsePercent,
  parsePort,
  parseReporter,
  parseSeed,
  parseShard,
  parseTrialId,
} from './options.js'
import { toolPackage } from './package.js'
import type { ReportOptions } from './report.js'
import type { ReplayOptions, RunOptions, TargetChoice } from './run.js'
import type { SelftestVerbOptions } from './selftest.js'

/** Runs the command line and sets the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  watchOutput()
  try {
    await program().parseAsync(argv)
  } catch (error) {
    process.exitCode = await explain(error)
  }
}

function program(): Command {
  const { name, version } = toolPackage()
  const root = new Command(name)
    .description('Breaks the storage under a database, on purpose, and proves what happened to the data.')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(lightning-chaos --help shows every command)')
    .addHelpText('after', EXAMPLES)

  root
    .command('init')
    .description('write a config, an adapter to start from, and the step for a CI')
    .option('--target <name>', 'lightning, sqlite, or a target file, made where it is not there')
    .addOption(
      new Option(
        '--language <name>',
        'of the adapter that is made (default: what this directory looks like)',
      ).choices(LANGUAGES),
    )
    .option('--scenarios <list>', 'names, families, patterns or files, with commas between them')
    .option('--ci <service>', 'github, gitlab, shell or none (default: what this directory looks like)')
    .addOption(gateOption())
    .option('--seed <text>', 'the same seed for every run (default: a new one for each)', parseSeed)
    .option('--yes', 'ask nothing, and take the usual answers')
    .option('--force', 'overwrite what is there')
    .action(async (options: InitOptions) => {
      const { init } = await import('./init.js')
      await init(options, await screen())
    })

  withTrialOptions(
    root
      .command('run')
      .description('run scenarios against a target, and print the pass-rate table')
      .argument(
        '[scenario...]',
        "names, families, patterns or files: 'diskfull', 'permissions/*', ./my.yaml",
      ),
  )
    .option('--trials <n>', 'trials of each scenario (default: as the scenario says)', parseCount)
    .option('--seed <text>', 'seed of the run (default: a new one, printed)', parseSeed)
    .addOption(gateOption())
    .option('--confidence <percent>', "judge the rate's lower bound at this confidence", parseConfidence)
    .option('--allow-data-loss', 'let the gate pass although data was lost; the report says so')
    .option('--bail [n]', 'stop after the first trial that did not pass, or after n', parseCount)
    .option('--workers <n>', 'trials at a time', parseCount, 2)
    .option('--shard <i/n>', 'run one part of n; in most CI services this comes by itself', parseShard)
    .option('--no-shard', 'run everything, whatever the CI service says')
    .option('--baseline <run>', 'fail only on what got worse since then: a run, or its JSON report')
    .option('--no-save', 'do not keep the result in .lightning-chaos')
    .option(
      '--config <file>',
      'settings to start from (default: lightning-chaos.config.yaml, if there is one)',
    )
    .option('--no-config', 'read no config')
    .option('--print-config', 'print what would be run, and where each setting comes from')
    .action(async (selectors: string[], options: RunOptions & { printConfig?: true }, command: Command) => {
      const { applyConfig, printConfig } = await import('./config.js')
      const settled = await applyConfig(command, selectors)
      const shown = await screen()
      if (options.printConfig) return printConfig(command, settled, shown.out)
      const { run } = await import('./run.js')
      process.exitCode = await run(settled.scenarios, command.opts<RunOptions>(), shown)
    })
  withTrialOptions(
    root
      .command('replay')
      .description('run one trial again exactly, from the line that a report printed')
      .argument('<scenario>', 'name or file of its scenario'),
  )
    .requiredOption('--trial <id>', 'the trial, as the report names it', parseTrialId)
    .option('--history <file>', 'write down everything that happened: JSON, an event a line')
    .action(async (scenario: string, options: ReplayOptions) => {
      const { replay } = await import('./run.js')
      process.exitCode = await replay(scenario, options, await screen())
    })

  reporterOptions(
    root
      .command('merge')
      .description('make one result, and one gate, of all shards of a run')
      .argument(
        '[path...]',
        'result.json files, or directories with some in them (default: .lightning-chaos)',
      ),
  )
    .option('--seed <text>', 'only the shards of the run with this seed', parseSeed)
    .option('--no-save', 'do not keep the result in .lightning-chaos')
    .action(async (paths: string[], options: MergeOptions) => {
      const { merge } = await import('./merge.js')
      process.exitCode = await merge(paths, options, await screen())
    })

  reporterOptions(
    root
      .command('report')
      .description('make a report of a run again, from what is kept in .lightning-chaos')
      .argument('[run]', "its id or how that begins, 'last', a directory, or a result.json", 'last'),
  )
    .option('--list', 'list the runs that are kept')
    .action(async (run: string, options: ReportOptions) => {
      const { report } = await import('./report.js')
      await report(run, options, await screen())
    })

  root
    .command('show-report')
    .description('serve the HTML report of a run on this machine, until Ctrl-C')
    .argument('[run]', "its id or how that begins, 'last', a directory, or a result.json", 'last')
    .option('--port <n>', 'where to listen, on 127.0.0.1 (default: a port that is free)', parsePort, 0)
    .action(async (run: string, options: { port: number }) => {
      const { showReport } = await import('./show-report.js')
      process.exitCode = await showReport(run, options.port, await screen())
    })

  root
    .command('list')
    .description('list the built-in scenarios')
    .argument('[scenario...]', 'only these: names, families, patterns or files')
    .option('--json', 'as JSON')
    .action(async (selectors: string[], options: { json?: true }) => {
      const { list } = await import('./list.js')
      await list({ selectors, json: options.json ?? false }, await screen())
    })

  root
    .command('show')
    .description('describe a scenario: why it matters, what happens, what it needs')
    .argument('<scenario...>', 'names, families, patterns or files')
    .option('--json', 'as JSON')
    .action(async (selectors: string[], options: { json?: true }) => {
      const { show } = await import('./show.js')
      await show({ selectors, json: options.json ?? false }, await screen())
    })

  root
    .command('validate')
    .description('check scenario files, without running them')
    .argument('<file...>', 'scenario files')
    .action(async (files: string[]) => {
      const { validate } = await import('./validate.js')
      process.exitCode = await validate(files, await screen())
    })

  root
    .command('doctor')
    .description('try what this host can do: volumes, faults, evidence')
    .option('--json', 'as JSON')
    .addOption(isolationOption())
    .action(async (options: { json?: true }) => {
      const { doctor } = await import('./doctor.js')
      process.exitCode = await doctor(options, await screen())
    })

  root
    .command('db')
    .description('look inside a database of the bundled kind')
    .argument('<dir>', 'its directory')
    .argument('<command>', 'get, put, delete, scan, verify, compact, stats or salvage')
    .argument('[arguments...]', 'of the command: a key, a value, a directory')
    .action(async (dir: string, command: string, args: string[]) => {
      const { db } = await import('./db.js')
      process.exitCode = await db(dir, command, args, process)
    })

  root
    .command('trace')
    .description('list every operation that a glass volume saw, from the file that --keep left')
    .argument('<file>', 'NAME.trace')
    .option('--json', 'a JSON value for each')
    .action(async (file: string, options: { json?: true }) => {
      const { trace } = await import('./trace.js')
      await trace(file, options, await screen())
    })

  limitOptions(
    root
      .command('selftest')
      .description('test the tester: databases broken on purpose, each of which has to be found')
      .argument('[name...]', 'only these: broken databases, or correct, lightning, sqlite'),
  )
    .addOption(trialsOption('--trials', 'most trials for one bug', 8))
    .addOption(trialsOption('--correct-trials', 'trials of each scenario with each correct target', 2))
    .option('--seed <text>', 'seed of the run (default: a new one, printed)', parseSeed)
    .option('--workers <n>', 'trials at a time', parseCount, 2)
    .addOption(isolationOption())
    .option('--json', 'as JSON')
    .action(async (names: string[], options: Omit<SelftestVerbOptions, 'names'>) => {
      const { selftest } = await import('./selftest.js')
      process.exitCode = await selftest({ ...options, names }, await screen())
    })

  root
    .command('complete')
    .description('print what makes a shell complete commands: source <(lightning-chaos complete bash)')
    .argument('<shell>', 'bash, zsh or fish')
    .argument('[words...]', 'after --, and of the shell itself: what to complete')
    .action(async (shell: string) => {
      const { complete } = await import('./complete.js')
      const [mark, ...words] = process.argv.slice(3)
      await complete(root, mark === '--' ? { words } : { shell })
    })

  declareDrills(root, screen, reporterOptions)

  const target = root.command('target').description('work on a target')
  targetOptions(target.command('check').description('try an adapter against the target protocol'))
    .argument('[command...]', 'the command that starts it, after --')
    .addOption(limitOption('--timeout', 'longest wait for one answer', DEFAULT_LIMITS.timeout))
    .action(async (command: string[], options: TargetChoice & { timeout: number }) => {
      const { targetCheck } = await import('./target-check-verb.js')
      process.exitCode = await targetCheck(command, options, await screen())
    })

  return root
}

function withTrialOptions(command: Command): Command {
  return reporterOptions(limitOptions(targetOptions(command)))
    .addOption(new Option('--quiet', 'print the result only').conflicts(['verbose', 'debug']))
    .option('--verbose', 'print a line for each trial')
    .option('--debug', 'print what is started, injected and healed in each trial, with its time')
    .option(
      '--repeat-each <n>',
      'run each trial n times; one that does not end alike is flaky',
      parseCount,
      1,
    )
    .option('--keep [directory]', "keep the target's files of trials that did not pass")
    .option('--trace-bytes', 'keep what was read and written, too, in the trace of a glass volume')
    .addOption(isolationOption())
}

function reporterOptions(command: Command): Command {
  return command
    .option(
      '--reporter <name[=file]>',
      'table, json, junit, github, markdown, html or dot; may be given several times',
      parseReporter,
    )
    .option('--output <file>', 'where a reporter without a file of its own writes (default: stdout)')
}

function limitOptions(command: Command): Command {
  const { timeout, resumeTimeout, trialTimeout } = DEFAULT_LIMITS
  return command
    .addOption(limitOption('--timeout', 'longest wait for one answer of the target', timeout))
    .addOption(limitOption('--resume-timeout', 'longest wait for writes to come back', resumeTimeout))
    .addOption(limitOption('--trial-timeout', 'longest that one trial may take', trialTimeout))
}

function limitOption(name: string, about: string, milliseconds: number): Option {
  return new Option(`${name} <duration>`, about)
    .argParser(parseDuration)
    .default(milliseconds, `${milliseconds / 1000}s`)
}

function trialsOption(name: string, about: string, count: number): Option {
  return new Option(`${name} <n>`, about).argParser(parseCount).default(count)
}

function targetOptions(command: Command): Command {
  return command
    .option('--target <name>', 'lightning, sqlite, or a target file (default: lightning)')
    .addOption(
      new Option(
        '--target-cmd <command>',
        "the command that starts it; '{dir}' is the data directory",
      ).conflicts('target'),
    )
}

function gateOption(): Option {
  return new Option('--gate <percent>', 'pass rate that the gate asks for')
    .argParser(parsePercent)
    .default(0.95, '95')
}

function isolationOption(): Option {
  return new Option('--isolation <kind>', 'root, user or none (default: the best that works)').argParser(
    parseIsolation,
  )
}

/** What happens when nobody reads what we print, or it finds no room. Without this, Node dies of either. */
function watchOutput(): void {
  let lost = false
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // a reader that has enough (`| head -1`) is no error
    if (error.code === 'EPIPE' || lost) return
    lost = true
    process.stderr.write(`error: the output could not be written: ${error.message}\n`)
    // only then, as the verb sets an exit code of its own
    process.on('exit', () => {
      process.exitCode = ExitCode.host
    })
  })
  process.stderr.on('error', () => {}) // there is nowhere left to say so
}

async function screen() {
  const { createScreen } = await import('./screen.js')
  return createScreen(process.env, process)
}

/** Prints an error the way its kind wants it. @returns the exit code */
async function explain(error: unknown): Promise<ExitCode> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.gateMet : ExitCode.usage
  const [{ chalk }, { visibleLines }] = [(await screen()).err, await import('../report/words.js')]
  const print = (mark: string, text: string) => process.stderr.write(`${mark} ${visibleLines(text)}\n`)
  if (error instanceof ChaosError) {
    print(chalk.red('error:'), error.message)
    if (error.hint !== undefined) print(chalk.dim('hint:'), error.hint)
    return error.exitCode
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  print(chalk.red('error:'), `this is a fault of lightning-chaos itself:\n${text}`)
  return ExitCode.internal
}

const EXAMPLES = `
Examples:
  lightning-chaos init                              a config, an adapter to start from, a step for CI
  lightning-chaos run diskfull                      the bundled database on a full disk
  lightning-chaos run permissions --target sqlite   SQLite, when it may not write
  lightning-chaos run --target-cmd './adapter {dir}' --trials 50
  lightning-chaos doctor                            what this host can do

Exit codes: 0 the gate is met, 1 it is not, 2 wrong usage, 3 this host cannot, 4 a fault of the tool, 130 interrupted`
