/** From what the user said (`--target`, `--target-cmd`) to the target that is meant. */
import { UsageError } from '../errors.js'
import { nearest } from '../scenario/nearest.js'
import { splitCommandLine } from './command-line.js'
import { STRICTEST } from './contract.js'
import { BUNDLED_TARGETS } from './registry.js'
import type { TargetSpec } from './spec.js'

/** What is tested where the user names no target. */
export const DEFAULT_TARGET = 'lightning'

interface TargetOptions {
  /** Name of a bundled target, or path of a target file. */
  readonly target?: string
  readonly targetCmd?: string
}

/**
 * @throws UsageError where it is not clear which target is meant, or a target file is wrong
 * @throws HostError where this host lacks what a bundled target needs
 */
export async function resolveTarget({ target, targetCmd }: TargetOptions): Promise<TargetSpec> {
  if (targetCmd === undefined) return namedTarget(target ?? DEFAULT_TARGET)
  if (target !== undefined) throw new UsageError('--target and --target-cmd: only one of them can be tested')
  return commandTarget(splitCommandLine(targetCmd))
}

/** A target that is known by its command alone, and so promises everything. */
export function commandTarget(command: readonly string[]): TargetSpec {
  const [program, ...args] = command
  if (!program) {
    throw new UsageError('the command of the target is empty', {
      hint: "give a program and its arguments, such as 'python3 my-adapter.py'",
    })
  }
  return { name: program, command: [program, ...args], environment: {}, contract: STRICTEST }
}

async function namedTarget(target: string): Promise<TargetSpec> {
  if (target.includes('/') || /\.ya?ml$/.test(target)) {
    // Only now: zod and yaml take longer to load than everything else here.
    const { loadTargetFile } = await import('./target-file.js')
    return loadTargetFile(target)
  }
  const bundled = Object.hasOwn(BUNDLED_TARGETS, target) ? BUNDLED_TARGETS[target] : undefined
  if (bundled !== undefined) return bundled()
  const names = Object.keys(BUNDLED_TARGETS)
  const near = nearest(target, names)
  const hint = `bundled are ${names.join(', ')}; a target file ends with .yaml, or has a slash in its path`
  const suggestion = near === undefined ? '' : `; did you mean '${near}'?`
  throw new UsageError(`unknown target '${target}'${suggestion}`, { hint })
}
