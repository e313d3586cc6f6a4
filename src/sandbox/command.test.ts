import { expect, test } from 'vitest'
import { CommandError, command } from './command.js'

test('of a program that fails, what it says is told as far as people read', async () => {
  const fails = command('sh', '-c', 'echo first >&2; seq 100000 >&2; exit 3')
  await expect(fails).rejects.toThrow(CommandError)
  const { message, status } = (await fails.catch((error: unknown) => error)) as CommandError
  expect(status).toBe(3)
  expect(message).toMatch(/exited with 3: first\n1\n2\n/)
  expect(message.length).toBeLessThan(5000)
})
