import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chownSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { freshPath } from '../testing/directory.js'
import { canMount, compileStory, isRoot } from '../testing/lightning/story.js'

const NOBODY = 65534
/** Root ignores permissions, so the story is told by nobody, without capabilities. */
const AS_NOBODY = [
  'setpriv',
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  '--clear-groups',
  '--bounding-set=-all',
]
const canDrop = !isRoot || spawnSync(AS_NOBODY[0]!, [...AS_NOBODY.slice(1), 'true']).status === 0
const canChattr = isRoot && canMakeImmutable()

function canMakeImmutable(): boolean {
  const probe = dirname(freshPath())
  const isImmutable = spawnSync('chattr', ['+i', probe]).status === 0
  return isImmutable && spawnSync('chattr', ['-i', probe]).status === 0
}

/** What a chapter may ask to be done as root. */
const deeds: Record<string, (dir: string) => void> = {
  'chattr +i': (dir) => execFileSync('chattr', ['+i', ...logs(dir)]),
  'chattr -i': (dir) => execFileSync('chattr', ['-i', ...logs(dir)]),
  'chown 0': (dir) => execFileSync('chown', ['-R', '0:0', dir]),
  'chown back': (dir) => execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, dir]),
}

function logs(dir: string): string[] {
  return readdirSync(dir).map((name) => join(dir, name))
}

describe('where it may not write the store', () => {
  const story = compileStory('permissions')

  async function tell(chapter: string, dir: string): Promise<void> {
    if (isRoot) chownSync(dirname(dir), NOBODY, NOBODY)
    const [file, ...args] = [...(isRoot ? AS_NOBODY : []), process.execPath, story.program, chapter, dir]
    const child = spawn(file!, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    child.stdout.setEncoding('utf8').on('data', (wish: string) => {
      deeds[wish.trim()]!(dir)
      child.stdin.write('done')
    })
    expect(await endOf(child)).toBe('')
  }

  test
    .runIf(canDrop)
    .each([
      'opens files that are 0444 to read',
      'opens a directory that is 0555 to read',
      'opens a directory that is 0555 with files that are 0444 to read',
      'says so where not even reading is permitted',
      'turns read-only where a rotation is not permitted',
      'turns read-only where a compaction is not permitted',
      'reads on when the directory becomes 000',
    ])('%s', (chapter) => tell(chapter, freshPath()), 30_000)

  test
    .runIf(canChattr)
    .each([
      'turns read-only when its open file becomes immutable',
      'turns read-only where the room in its file cannot be given back',
    ])('%s', (chapter) => tell(chapter, freshPath()), 30_000)

  test.runIf(canMount)(
    'opens a file system that is mounted read-only to read',
    ({ task }) => story.mounted(task.name, '/mnt'),
    30_000,
  )

  test.runIf(isRoot && canDrop)(
    'opens files of another owner to read',
    ({ task }) => tell(task.name, freshPath()),
    30_000,
  )
})

/** What a story wrote to stderr; empty where it went well. */
function endOf(child: ChildProcess): Promise<string> {
  let stderr = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((resolve) =>
    child.on('close', (status) => resolve(status === 0 ? '' : `${status}: ${stderr}`)),
  )
}
