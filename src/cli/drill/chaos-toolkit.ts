/** A drill as an experiment of the Chaos Toolkit (chaostoolkit.org/reference/api/experiment), for teams that have it. */
import { FAULTS } from '../../drill/faults/index.js'
import { withoutPassword } from '../../drill/probe/url.js'
import { UsageError } from '../../errors.js'
import type { DrillSpec } from './spec.js'

/** Injecting, undoing and looking take some time of their own. In seconds. */
const BESIDE_S = 120

/**
 * The probes are the steady state, the drill is the method, and its undo is the rollback: that is safe to repeat, and does
 * nothing where all is undone. The toolkit compares with a tolerance in the steady state alone, which it looks at before
 * and after; the verdict of the drill itself is in what the drill prints, which the toolkit's journal has.
 *
 * @param file of the drill, as the hosts have it
 * @throws UsageError where it would show a password
 */
export function chaosToolkit(
  spec: DrillSpec,
  file: string,
  { name, version }: { name: string; version: string },
) {
  const { fault, path, probes, forMs, recoverMs, rounds, probeTimeoutMs } = spec
  const run = (what: string, args: readonly string[], seconds: number) => ({
    name: what,
    provider: { type: 'process', path: name, arguments: ['drill', ...args], timeout: Math.ceil(seconds) },
  })
  const secret = probes.find(({ ask }) => withoutPassword(ask) !== ask)
  if (secret !== undefined) {
    throw new UsageError(`the experiment would show the password of ${withoutPassword(secret.ask)}`, {
      hint: 'ask by a command that reads it from a file: ask: ./check.sh',
    })
  }
  const asked = probes.map((probe, index) => ({
    type: 'probe',
    tolerance: 0,
    ...run(
      probe.name ?? `probe ${index + 1}: ${probe.ask}`,
      ['probe', probe.ask, '--probe-timeout', `${probeTimeoutMs}ms`],
      probeTimeoutMs / 1000 + BESIDE_S,
    ),
  }))
  return {
    title: `${FAULTS[fault].title}${path === undefined ? '' : ` at ${path}`}`,
    description: `The drill ${file}, exported by ${name} ${version}.`,
    tags: [name, fault],
    'steady-state-hypothesis': {
      title: 'The service works, and no drill is active',
      probes: [...asked, idle(run)],
    },
    method: [
      {
        type: 'action',
        ...run(
          `drill ${fault}`,
          ['run', file, '--yes'],
          (rounds * (forMs + recoverMs)) / 1000 + rounds * BESIDE_S,
        ),
      },
    ],
    rollbacks: [{ type: 'action', ...run('undo', ['undo', '--all'], BESIDE_S) }],
  }
}

type Run = (what: string, args: readonly string[], seconds: number) => object

function idle(run: Run): object {
  return { type: 'probe', tolerance: 0, ...run('no drill is active', ['status', '--check'], BESIDE_S) }
}
