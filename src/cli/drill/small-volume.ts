import type { SmallVolume } from '../../drill/plan.js'
import { UsageError } from '../../errors.js'
import { splitCommandLine } from '../../target/command-line.js'

/** How a service is stopped and started around a small volume: by its unit, or by commands. @throws UsageError */
export function smallVolume(
  size: number,
  {
    stop,
    start,
    unit,
  }: {
    readonly stop?: string | undefined
    readonly start?: string | undefined
    readonly unit?: string | undefined
  },
): Omit<SmallVolume, 'directory'> {
  if (stop !== undefined && start !== undefined) {
    return { size, stop: commandIn(stop, 'stops'), start: commandIn(start, 'starts') }
  }
  if (unit === undefined || stop !== undefined || start !== undefined) {
    throw new UsageError('the service has to be stopped and started around a small volume', {
      hint: 'name its unit, --service UNIT, or both commands: --stop-cmd and --start-cmd',
    })
  }
  return { size, stop: ['systemctl', 'stop', '--', unit], start: ['systemctl', 'start', '--', unit] }
}

function commandIn(text: string, does: string): readonly string[] {
  const argv = splitCommandLine(text)
  if (argv[0]) return argv
  throw new UsageError(`the command that ${does} the service is empty`, {
    hint: 'name a program: it is started without a shell',
  })
}
