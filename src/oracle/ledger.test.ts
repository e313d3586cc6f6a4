import { describe, expect, it } from 'vitest'
import { Ledger } from './ledger.js'

describe('Ledger', () => {
  it('keeps five violations of a kind and counts the rest', () => {
    const ledger = new Ledger({ waived: {} })
    for (let i = 0; i < 9; i++) ledger.report('lost-write', `loss ${i}`, i)
    ledger.report('hung', 'no answer', 9)
    expect(ledger.violations().map((violation) => violation.summary)).toEqual([
      ...['loss 0', 'loss 1', 'loss 2', 'loss 3', 'loss 4 (and 4 more lost-write)'],
      'no answer',
    ])
    expect(ledger.violations()[0]).toEqual({
      kind: 'lost-write',
      severity: 'data-loss',
      summary: 'loss 0',
      at: 0,
    })
  })

  it('collapses what is waived to one entry a promise', () => {
    const ledger = new Ledger({ waived: { 'reads-when-full': 'documented' } })
    ledger.report('unreadable', 'get failed', 1, ['reads-when-full'])
    ledger.report('unreadable', 'scan failed', 2, ['reads-when-full'])
    ledger.report('unreadable', 'another', 3, ['reads-after-io-error'])
    expect(ledger.waived()).toEqual([
      { promise: 'reads-when-full', summary: 'get failed (and 1 more like it)' },
    ])
    expect(ledger.violations().map((violation) => violation.summary)).toEqual(['another'])
  })
})
