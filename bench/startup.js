// What `--help` costs, against a Node that does nothing: pairs, in turn, from one run.
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { ratio } from './figures.js'

const PAIRS = 25
const BIN = path.resolve(import.meta.dirname, '../bin/lightning-chaos.js')

function milliseconds(...args) {
  const started = performance.now()
  execFileSync(process.execPath, args, { stdio: 'ignore' })
  return performance.now() - started
}

const pairs = Array.from({ length: PAIRS }, () => milliseconds(BIN, '--help') / milliseconds('-e', '0'))
ratio('--help against node -e 0', pairs, 'at most 2.2')
