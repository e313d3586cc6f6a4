import { setTimeout } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import { InternalError } from '../errors.js'
import { Sandbox } from './sandbox.js'

vi.setConfig({ testTimeout: 30_000 })

it('is heard to have died before its request', async () => {
  // there is no inside.js beside the source, so the process ends at once
  const sandbox = new Sandbox('none', 'test')
  await setTimeout(1000)
  const request = { kind: 'capabilities', needs: [], isolation: 'none', owner: 'test', slot: 0 } as const
  const options = { timeoutMs: 20_000, signal: new AbortController().signal, onMessage() {} }
  const error: unknown = await sandbox.exchange(request, options).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(InternalError)
  expect((error as Error).message).toMatch(/^the sandbox died: .*inside\.js/s)
})
