import { describe, test } from 'vitest'
import { freshPath } from '../testing/directory.js'
import { canLoop, canMount, canPrlimit, compileStory } from '../testing/lightning/story.js'

describe('on a full disk the store', () => {
  const story = compileStory('full-disk')

  test
    .runIf(canMount)
    .each([
      'goes on with reads, deletes and compaction, then with puts',
      'resumes in place when a neighbour makes room',
      'lets small writes through that waited beside a large one',
      'opens, twice, after a kill while it was full, with and without the reserve',
      'goes on in the same segment when no inode is left',
      'refuses to compact without room and reserve, and loses nothing',
      'keeps a delete while an older segment that did not fit holds the value',
      'begins on a full disk, and writes once there is room',
      'begins read-only where not even the lock has an inode, and writes once there are some',
      'goes on trying to begin to write, whatever else was in the way meanwhile',
    ])('%s', (chapter) => story.mounted(chapter), 30_000)

  test.runIf(canPrlimit)(
    'cuts off what fitted, wherever a file may grow no further',
    ({ task }) => story.plain(task.name, freshPath()),
    30_000,
  )

  test.runIf(canLoop)(
    'takes no more writes after an fdatasync failed, until it is opened again',
    ({ task }) => story.mounted(task.name),
    30_000,
  )
})
