/** The bundled targets. A new one is an adapter and an entry here. */
import { fileURLToPath } from 'node:url'
import { STRICTEST } from './contract.js'
import type { TargetSpec } from './spec.js'
import { SQLITE_CONTRACT } from './sqlite-contract.js'
import { sqliteCommand } from './sqlite-driver.js'

/** @throws HostError where this host lacks what the target needs */
type BundledTarget = () => Promise<TargetSpec>

export const BUNDLED_TARGETS: Readonly<Record<string, BundledTarget>> = {
  /** The append-only log store that comes with lightning-chaos. */
  lightning: async () => ({
    name: 'lightning',
    command: [
      process.execPath,
      fileURLToPath(new URL('../../dist/target/adapters/lightning.js', import.meta.url)),
    ],
    environment: {},
    contract: STRICTEST,
  }),
  /** SQLite in WAL mode with synchronous=FULL. */
  sqlite: async () => ({
    name: 'sqlite',
    command: await sqliteCommand(process.cwd()),
    environment: {},
    contract: SQLITE_CONTRACT,
  }),
}
