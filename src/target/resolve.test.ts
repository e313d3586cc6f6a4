import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.js'
import { commandTarget, resolveTarget } from './resolve.js'

describe('resolveTarget', () => {
  it('means the bundled database where nothing is said', async () => {
    const target = await resolveTarget({})
    expect(target).toEqual(await resolveTarget({ target: 'lightning' }))
    expect(target).toMatchObject({ name: 'lightning', environment: {}, contract: { waived: {} } })
    expect(target.command[0]).toBe(process.execPath)
  })

  it('takes a command line', async () => {
    expect(await resolveTarget({ targetCmd: "python3 'my db.py' {dir}" })).toEqual({
      name: 'python3',
      command: ['python3', 'my db.py', '{dir}'],
      environment: {},
      contract: { waived: {} },
    })
  })

  it('takes what has a slash, or ends like YAML, for a target file', async () => {
    await expect(resolveTarget({ target: './mine' })).rejects.toThrow('./mine: no such file')
    await expect(resolveTarget({ target: 'mine.yml' })).rejects.toThrow('mine.yml: no such file')
  })

  it('suggests the nearest name', async () => {
    await expect(resolveTarget({ target: 'sqlit' })).rejects.toThrow(
      "unknown target 'sqlit'; did you mean 'sqlite'?",
    )
    await expect(resolveTarget({ target: 'constructor' })).rejects.toThrow("unknown target 'constructor'")
  })

  it('refuses two targets at once, and an empty command', async () => {
    await expect(resolveTarget({ target: 'sqlite', targetCmd: 'x' })).rejects.toThrow('only one of them')
    await expect(resolveTarget({ targetCmd: ' ' })).rejects.toThrow('the command of the target is empty')
    expect(() => commandTarget([])).toThrow(UsageError)
  })
})
