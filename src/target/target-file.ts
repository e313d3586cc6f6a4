/** A target file: how to start a target of the user's own, and which promises it does not make. */
import { basename, dirname, extname, isAbsolute, resolve } from 'node:path'
import { UsageError } from '../errors.js'
import { readTextFile } from '../scenario/text-file.js'
import { parseYaml } from '../scenario/yaml.js'
import { z } from '../vendor/zod.js'
import { splitCommandLine } from './command-line.js'
import { type Contract, PROMISES, type PromiseId } from './contract.js'
import type { TargetSpec } from './spec.js'

const command = z
  .union([z.array(z.string()), z.string()])
  .transform((value, context): readonly [string, ...string[]] => {
    try {
      const [program, ...args] = typeof value === 'string' ? splitCommandLine(value) : value
      if (program) return [program, ...args]
      context.addIssue({ code: 'custom', message: 'expected a program and its arguments' })
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      context.addIssue({ code: 'custom', message: `expected balanced quotes: ${error.message}` })
    }
    return z.NEVER
  })
  .describe(
    "Program and arguments, as a list, or as a text with a shell's quotes; '{dir}' is the data directory",
  )

const waive = z
  .strictObject(
    Object.fromEntries(
      Object.entries(PROMISES).map(([id, promise]) => [id, z.string().min(1).optional().describe(promise)]),
    ) as Record<PromiseId, z.ZodOptional<z.ZodString>>,
  )
  .describe('Promises that the target does not make, each with the reason')

const targetFileSchema = z
  .strictObject({
    name: z.string().min(1).optional().describe("The target's name in reports; the file's name unless given"),
    command,
    environment: z.record(z.string(), z.string()).default({}).describe('Variables to add to the environment'),
    contract: z
      .strictObject({ waive: waive.prefault({}) })
      .prefault({})
      .describe('What the target promises: everything, but for what is waived'),
  })
  .describe('A target of lightning-chaos')

/**
 * Reads a target file. A program in it that is a relative path is meant from the file's directory.
 *
 * @throws UsageError with `file:line:column` for each mistake
 */
export async function loadTargetFile(file: string): Promise<TargetSpec> {
  const text = await readTextFile(file, 'a target', 'docs/target-protocol.md says what a target file is')
  const { name, command, environment, contract } = parseYaml(file, text, targetFileSchema)
  const [program, ...args] = command
  return {
    name: name ?? basename(file, extname(file)),
    command: [fromDirectory(dirname(file), program), ...args],
    environment,
    contract: { waived: contract.waive as Contract['waived'] },
  }
}

/** A bare name is looked up on PATH, a relative path is not. */
function fromDirectory(directory: string, program: string): string {
  return program.includes('/') && !isAbsolute(program) ? resolve(directory, program) : program
}
