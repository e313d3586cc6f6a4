/** The bundled targets. A new one is an adapter and an entry here. */
import { fileURLToPath } from 'node:url'
import { STRICTEST } from './contract.js'
import type { TargetSpec } from './spec.js'
import { SQLITE_CONTRACT } from './sqlite-contract.js'
import { sqliteCommand } from './sqlite-driver.js'

export interface BundledTarget {
  readonly title: string
  /** @throws HostError where this host lacks what the target needs */
  spec(): Promise<TargetSpec>
}

export const BUNDLED_TARGETS: Readonly<Record<string, BundledTarget>> = {
  lightning: {
    title: 'the append-only log store that comes with lightning-chaos',
    spec: async () => ({
      name: 'lightning',
      command: [
        process.execPath,
        fileURLToPath(new URL('../../dist/target/adapters/lightning.js', import.meta.url)),
      ],
      environment: {},
      contract: STRICTEST,
    }),
  },
  sqlite: {
    title: 'SQLite in WAL mode with synchronous=FULL, by a driver that this host has',
    spec: async () => ({
      name: 'sqlite',
      command: await sqliteCommand(process.cwd()),
      environment: {},
      contract: SQLITE_CONTRACT,
    }),
  },
}
