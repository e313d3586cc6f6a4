import { mkdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { freshPath } from '../testing/directory.js'
import { activeDirectory, Journal, openState, readJournal } from './journal.js'
import type { DrillPlan } from './plan.js'
import { undoActive, undoJournal } from './undo.js'

const plan = (id: string) => ({ schema: 1, id, fault: 'permissions', processes: [] }) as unknown as DrillPlan

function state(): string {
  const directory = freshPath()
  openState(directory)
  return directory
}

test('what a watchdog had only just begun is removed by its tool', async () => {
  const directory = state()
  mkdirSync(activeDirectory(directory))
  expect(await undoActive(directory, 'ours')).toBeUndefined()
  expect(readJournal(directory)).toBeUndefined()
})

test('a journal that is not there any more is another one, should there be one', async () => {
  const directory = state()
  const theirs = Journal.begin(directory, { plan: plan('theirs'), watchdog: '1.2.3' })
  await theirs.save([])
  const ours = { plan: plan('ours'), watchdog: '1.2.3', saved: [], armed: false, damage: [] }
  await undoJournal(directory, ours)
  expect(readJournal(directory)?.plan?.id).toBe('theirs')
})

test('the drill of another tool is left to that', async () => {
  const directory = state()
  Journal.begin(directory, { plan: plan('theirs'), watchdog: '1.2.3' })
  expect(await undoActive(directory, 'ours')).toBeUndefined()
  expect(readJournal(directory)?.plan?.id).toBe('theirs')
})
