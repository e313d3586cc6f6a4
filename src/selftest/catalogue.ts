/** The databases of fixtures/broken: one that is right, and many that are broken on purpose. */
import { fileURLToPath } from 'node:url'
import type { ViolationKind } from '../oracle/violation.js'
import type { Contract } from '../target/contract.js'
import type { TargetSpec } from '../target/spec.js'

/** A database with one planted bug. */
export interface BrokenDatabase {
  readonly name: string
  /** The class of the bug, in words. */
  readonly bug: string
  /** The violations of which one has to be found. */
  readonly expects: readonly ViolationKind[]
  /** The scenarios that should show it; the first is the surest. */
  readonly scenarios: readonly string[]
}

export interface Catalogue {
  readonly broken: readonly BrokenDatabase[]
  /** The database that the broken ones are made from. */
  readonly correct: { readonly name: string; readonly waived: Contract['waived'] }
}

/** As far away from dist/selftest as from src/selftest. */
const DIRECTORY = new URL('../../fixtures/broken/', import.meta.url)

export async function loadCatalogue(): Promise<Catalogue> {
  return (await import(new URL('catalogue.js', DIRECTORY).href)) as Catalogue
}

/** The file of a database. */
export function fixtureFile(name: string): string {
  return fileURLToPath(new URL(`${name}.js`, DIRECTORY))
}

/** A broken database promises what the correct one does: its bug is all that is between them. */
export function fixtureTarget(name: string, { correct }: Catalogue): TargetSpec {
  return {
    name,
    command: [process.execPath, fixtureFile(name)],
    environment: {},
    contract: { waived: correct.waived },
  }
}
