/** `target check`: which target, and what its findings mean for the exit code. */
import { ExitCode, UsageError } from '../errors.js'
import { commandTarget, resolveTarget } from '../target/resolve.js'
import type { TargetChoice } from './run.js'
import type { Screen } from './screen.js'
import { checkTarget } from './target-check.js'

/** @returns the exit code: 1 where something is wrong that trials would stumble over */
export async function targetCheck(
  command: readonly string[],
  options: TargetChoice & { readonly timeout: number },
  { out }: Screen,
): Promise<ExitCode> {
  const named = options.target ?? options.targetCmd
  if (command.length > 0 && named !== undefined) {
    throw new UsageError(`there are two targets to check, '${named}' and '${command.join(' ')}'`, {
      hint: 'give either --target, or --target-cmd, or a command after --',
    })
  }
  const spec = command.length > 0 ? commandTarget(command) : await resolveTarget(options)
  const findings = await checkTarget(spec, {
    answerMs: options.timeout,
    print: (line) => out.write(`${line}\n`),
  })
  return findings.some(({ severity }) => severity === 'error') ? ExitCode.gateMissed : ExitCode.gateMet
}
