/** What a process may do beyond its user's rights: capabilities(7), by the names that setpriv(1) has for them. */
import { textOf } from './kernel.js'

const BITS = {
  dac_override: 1n,
  dac_read_search: 2n,
  fowner: 3n,
  fsetid: 4n,
  linux_immutable: 9n,
  sys_admin: 21n,
  sys_resource: 24n,
} as const

export type Capability = keyof typeof BITS

/** Those of a process that are in effect. @param status its /proc/PID/status (proc_pid_status(5)) */
export function capabilitiesIn(status: string): Capability[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  return (Object.keys(BITS) as Capability[]).filter((name) => (effective >> BITS[name]) & 1n)
}

/** Whether we have it ourselves. */
export function hasCapability(name: Capability): boolean {
  return capabilitiesIn(textOf('/proc/self/status') ?? '').includes(name)
}
