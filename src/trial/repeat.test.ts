import { describe, expect, it } from 'vitest'
import { repeat } from './repeat.js'

const open = new AbortController().signal

describe('repeat', () => {
  it('runs one after the other, counted from 1', async () => {
    let underWay = 0
    const done = await repeat(3, open, async (nth) => {
      expect(++underWay).toBe(1)
      await Promise.resolve()
      underWay--
      return nth
    })
    expect(done).toEqual([1, 2, 3])
  })

  it('leaves what is done where it is stopped', async () => {
    const controller = new AbortController()
    const done = await repeat(5, controller.signal, async (nth) => {
      if (nth === 3) controller.abort(new Error('Ctrl-C'))
      controller.signal.throwIfAborted()
      return nth
    })
    expect(done).toEqual([1, 2])
  })

  it('throws what is no stop, and a stop before anything is done', async () => {
    const fails = async (nth: number) => {
      if (nth === 2) throw new Error('broken')
    }
    await expect(repeat(3, open, fails)).rejects.toThrow('broken')
    const aborted = AbortSignal.abort(new Error('Ctrl-C'))
    await expect(repeat(3, aborted, async () => aborted.throwIfAborted())).rejects.toThrow('Ctrl-C')
  })
})
