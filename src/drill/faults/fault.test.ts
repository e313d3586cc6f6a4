import { expect, test } from 'vitest'
import { mountNamespace } from '../host/processes.js'
import type { DrillPlan } from '../plan.js'
import { isElsewhere } from './fault.js'

const begunIn = (namespace: object) => isElsewhere(namespace as DrillPlan)

test('what was mounted in this mount namespace, or nobody knows in which, is looked for', () => {
  expect(begunIn({ mountNamespace: mountNamespace() })).toBe(false)
  expect(begunIn({})).toBe(false)
})

test('one that may not be seen is not taken for gone', () => {
  const isSeen = process.geteuid?.() === 0
  if (isSeen) expect(begunIn({ mountNamespace: 'mnt:[1]' })).toBe(true)
  else expect(() => begunIn({ mountNamespace: 'mnt:[1]' })).toThrow(/not seen from here/)
})
