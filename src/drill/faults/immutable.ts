/** A tree that nobody may change, not even root or who has it open: chattr +i, of what did not have that. */
import { closeSync, openSync } from 'node:fs'
import { setImmediate as breathe } from 'node:timers/promises'
import { errnoName } from '../../errno.js'
import { HostError } from '../../errors.js'
import { RefusedError } from '../errors.js'
import { type Answer, AT_A_TIME, immutability } from '../host/attributes.js'
import {
  Descent,
  type FileId,
  type Found,
  fileId,
  fileKey,
  isSameFile,
  type JsonName,
  nameFromJson,
  nameToJson,
  openPlace,
  pathOf,
  showName,
  statOf,
  walk,
} from '../host/files.js'
import { disksOn, type Image, imageId, swapsOn } from '../host/images.js'
import { devicesHold, placeOf, withPlace } from '../host/place.js'
import type { DrillPlan } from '../plan.js'
import { type Fault, needCapability, Told } from './fault.js'

/** open(2): a descriptor for the place alone. */
const O_PATH = 0o10000000

/** A file or directory that did not have the attribute. */
type Entry = FileId & { readonly name: JsonName }

export const immutable: Fault<Entry> = {
  title: 'A tree that nobody may change (chattr +i)',
  errnos: ['EPERM'],
  capabilities: ['linux_immutable', 'fowner', 'dac_read_search'],
  foresee(plan) {
    const { path, type } = placeOf(plan)
    needCapability('linux_immutable', 'immutable')
    const root = openPlace(path)
    try {
      const [answer] = immutability('get', [root])
      if (typeof answer === 'number') {
        throw new HostError(`${type} has no immutable attribute, or does not tell: ${errnoName(-answer)}`, {
          hint: 'choose drill permissions, or drill readonly',
        })
      }
    } finally {
      closeSync(root)
    }
    return {
      does: [
        `sets the immutable attribute (chattr +i) of ${[...this.save(plan)].length} files and directories in ${path}`,
        'nobody writes there then, root neither, nor who has a file open',
      ],
      undoes: [
        'takes it away again (chattr -i), where it is still the same file, whatever its name',
        'leaves what had it before, and what others changed meanwhile, and says so',
      ],
    }
  },
  *save(plan) {
    const place = placeOf(plan)
    const images = new Map([...disksOn(place), ...swapsOn(place)].map((image) => [image.id, image]))
    const root = openPlace(place.path)
    try {
      for (const batch of batches(walk(root))) {
        for (const { name, id } of batch) checkNoImage(plan, { name }, images.get(imageId(id)))
        const answers = immutability(
          'get',
          batch.map(({ fd }) => fd),
        )
        for (const [index, { name, id }] of batch.entries()) {
          const answer = answers[index]!
          if (typeof answer === 'number') {
            throw new HostError(`${refusal(plan, { name }, answer)}: it does not tell its attributes`)
          }
          if (!answer) yield { name, ...id }
        }
      }
    } finally {
      closeSync(root)
    }
  },
  async inject(plan, saved, stop) {
    let changed = 0
    const refused = new Told()
    await eachBatch(plan, saved, stop, {
      use(entries, fds) {
        for (const [index, answer] of immutability('set', fds).entries()) {
          if (answer === true) changed += 1
          else refused.add(refusal(plan, entries[index]!, answer))
        }
      },
      gone() {}, // what is not there need not be changed
      failed: (entry, { message }) => refused.add(`${show(plan, entry)}: ${message}`),
    })
    const but = refused.lines.length === 0 ? '' : `; not of ${refused.lines.join(', ')}`
    return { detail: `${changed} files and directories are immutable${but}` }
  },
  async undo(plan, saved) {
    const left = new Told()
    const failed = new Told()
    let restored = 0
    const lost: Entry[] = []
    const clear = (entries: readonly Entry[], fds: readonly number[]) => {
      // what cannot be told of is not taken for well
      const set = immutability('get', fds).flatMap((answer, index) => (answer === false ? [] : [index]))
      if (set.length === 0) return
      const answers = immutability(
        'clear',
        set.map((index) => fds[index]!),
      )
      for (const [at, answer] of answers.entries()) {
        if (answer === false) restored += 1
        else failed.add(refusal(plan, entries[set[at]!]!, answer))
      }
    }
    await eachBatch(plan, saved, undefined, {
      use: clear,
      gone: (entry) => lost.push(entry),
      failed: (entry, { message }) => failed.add(`${show(plan, entry)}: ${message}`),
    })
    const moved = new Map(lost.map((entry) => [fileKey(entry), entry]))
    await eachMoved(plan, moved, left, (entries, fds) => {
      clear(entries, fds)
      for (const entry of entries) {
        const before = moved.get(fileKey(entry))
        if (before === undefined) continue // a second name of it
        left.add(`${show(plan, before)}: has the name ${show(plan, entry)} by now`)
        moved.delete(fileKey(entry))
      }
    })
    for (const entry of moved.values()) left.add(`${show(plan, entry)}: gone, or another file by now`)
    return {
      detail: `the immutable attribute of ${restored} files and directories taken away`,
      left: left.lines,
      failed: failed.lines,
      ...(restored + failed.lines.length === 0 ? { gone: 'nothing was immutable any more' } : {}),
    }
  },
}

/** @throws RefusedError where a file is one that the kernel writes to: not even that may write to it then */
function checkNoImage(plan: DrillPlan, entry: Pick<Entry, 'name'>, image: Image | undefined): void {
  if (image === undefined) return
  const [why, shown] =
    image.device === 'swap'
      ? ['could not be turned off', 'swapon --show']
      : ['would get errors for what is written to it', 'losetup --list']
  throw new RefusedError(`${show(plan, entry)} is what ${image.device} is made of, which ${why}`, {
    hint: `take that out of use first, or name a directory without it; ${shown} shows it`,
  })
}

interface Held {
  readonly name: JsonName
  readonly id: FileId
  readonly fd: number
}

/** What a walk finds, some at a time: each with a descriptor of its own, which is closed when the next are asked for. */
function* batches(found: Iterable<Found>): Generator<readonly Held[]> {
  let held: Held[] = []
  const close = () => {
    for (const { fd } of held.splice(0)) closeSync(fd)
  }
  try {
    for (const { path, fd, stat } of found) {
      if (!stat.isFile() && !stat.isDirectory()) continue
      held.push({ name: nameToJson(path), id: fileId(stat), fd: openSync(pathOf(fd), O_PATH) })
      if (held.length < AT_A_TIME) continue
      yield held
      close()
    }
    if (held.length > 0) yield held
  } finally {
    close()
    held = []
  }
}

interface Visitor {
  /** Some that are still there, with a descriptor of each. */
  use(entries: readonly Entry[], fds: readonly number[]): void
  gone(entry: Entry): void
  /** One that cannot be reached is no reason to leave out the others. */
  failed(entry: Entry, error: Error): void
}

/** Visits the saved files, some at a time. */
async function eachBatch(
  plan: DrillPlan,
  saved: readonly Entry[],
  stop: AbortSignal | undefined,
  visitor: Visitor,
): Promise<void> {
  const hold = devicesHold(plan)
  await withPlace(plan, async (root) => {
    const descent = new Descent(root)
    try {
      for (let first = 0; first < saved.length && !stop?.aborted; first += AT_A_TIME) {
        const there: { readonly entry: Entry; readonly fd: number }[] = []
        try {
          for (const entry of saved.slice(first, first + AT_A_TIME)) {
            let fd: number | undefined
            try {
              fd = descent.open(nameFromJson(entry.name))
              const same = fd !== undefined && isSameFile(fileId(statOf(fd)), entry, hold)
              if (fd !== undefined && same) {
                there.push({ entry, fd })
                continue
              }
              visitor.gone(entry)
            } catch (error) {
              visitor.failed(entry, error as Error)
            }
            if (fd !== undefined) closeSync(fd)
          }
          const entries = there.map(({ entry }) => entry)
          const fds = there.map(({ fd }) => fd)
          if (fds.length > 0) visitor.use(entries, fds)
        } finally {
          for (const { fd } of there) closeSync(fd)
        }
        await breathe()
      }
    } finally {
      descent.close()
    }
  })
}

/** Hands over what has another name by now, with that, some at a time. */
async function eachMoved(
  plan: DrillPlan,
  moved: ReadonlyMap<string, Entry>,
  told: Told,
  use: (entries: readonly Entry[], fds: readonly number[]) => void,
): Promise<void> {
  if (moved.size === 0) return
  await withPlace(plan, async (root) => {
    for (const batch of batches(walk(root, ({ message }) => told.add(`${placeOf(plan).path}: ${message}`)))) {
      const own = batch.filter(({ id }) => moved.has(fileKey(id)))
      if (own.length === 0) continue
      use(
        own.map(({ name, id }) => ({ name, ...id })),
        own.map(({ fd }) => fd),
      )
    }
  })
}

function refusal(plan: DrillPlan, entry: Pick<Entry, 'name'>, answer: Answer): string {
  return `${show(plan, entry)}: ${typeof answer === 'number' ? errnoName(-answer) : 'unchanged'}`
}

function show(plan: DrillPlan, { name }: Pick<Entry, 'name'>): string {
  const root = placeOf(plan).path
  const path = nameFromJson(name)
  return path.length === 0 ? root : `${root}/${showName(path)}`
}
