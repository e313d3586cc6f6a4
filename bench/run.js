// Every figure of docs/performance.md, one after the other. Wants a quiet machine, and about ten minutes.
import { execFileSync } from 'node:child_process'
import path from 'node:path'

for (const bench of ['startup', 'trial', 'lightning', 'databases', 'glass']) {
  console.log(`\n${bench}`)
  execFileSync(process.execPath, [path.join(import.meta.dirname, `${bench}.js`)], { stdio: 'inherit' })
}
