import type { Contract } from './contract.js'

/** How to start a target and what it promises: plain data, from the registry, a target file or --target-cmd. */
export interface TargetSpec {
  readonly name: string
  /** Program and arguments. `{dir}` in an argument is replaced by the data directory. */
  readonly command: readonly [string, ...string[]]
  readonly environment: Readonly<Record<string, string>>
  readonly contract: Contract
}
