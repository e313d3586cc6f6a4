/**
 * The undo journal: what a drill is about to change, and how it was. It lies outside the file system that is faulted, in
 * a directory that is there while something may have to be undone:
 *
 *     STATE/active/plan.json     the plan, and the watchdog that carries it out
 *     STATE/active/saved.jsonl   a line for each thing that will be changed, as it was
 *     STATE/active/armed.json    how many lines there are, and their SHA-256; the plan once more
 *     STATE/undone.json          what was STATE/active/plan.json, of the last drill that was undone
 *     STATE/undo.lock            what an undo locks: undo-lock.ts
 *
 * Each file of a journal is written once, synced, and so is its directory, before the next begins; the first change of the host comes
 * after all three. So one that somebody cut shows it, and where armed.json is missing there is most likely nothing to undo.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { setImmediate as breathe } from 'node:timers/promises'
import { HostError } from '../errors.js'
import { RefusedError } from './errors.js'
import { isGone, syncDirectory } from './host/files.js'
import type { DrillPlan } from './plan.js'
import { prepareLock } from './undo-lock.js'

/** What a fault saved of one thing: JSON, and its own business. */
export type Saved = object

export interface JournalContent {
  /** Undefined where it cannot be read in any of its places. */
  readonly plan: DrillPlan | undefined
  /** Names the watchdog: see isAlive in src/sandbox/owner.ts. */
  readonly watchdog: string | undefined
  readonly saved: readonly Saved[]
  /** Whether the host may have been changed. */
  readonly armed: boolean
  /** What is wrong with it, in words. */
  readonly damage: readonly string[]
}

interface PlanFile {
  readonly plan: DrillPlan
  readonly watchdog: string
}

interface ArmedFile extends PlanFile {
  readonly lines: number
  readonly sha256: string
}

const LINES_AT_A_TIME = 1000
const UNDONE = 'undone.json'

/**
 * The state directory, with every link on the way to it resolved: what the user named, else /var/lib/lightning-chaos for
 * root, and for others a directory in $XDG_STATE_HOME, as the XDG base directory specification has it.
 */
export function stateDirectory(named: string | undefined): string {
  const state = path.resolve(named ?? defaultState())
  const parent = existingPart(path.dirname(state))
  return path.join(realpathSync(parent), path.relative(parent, state))
}

/** The directory itself, or the nearest one above it that is there. */
export function existingPart(directory: string): string {
  return isThere(directory) ? directory : existingPart(path.dirname(directory))
}

function defaultState(): string {
  if (process.geteuid?.() === 0) return '/var/lib/lightning-chaos'
  return path.join(process.env.XDG_STATE_HOME || path.join(homedir(), '.local/state'), 'lightning-chaos')
}

/** Makes the state directory where it is not there, and what undos lock in it. @throws RefusedError, HostError */
export function openState(state: string): void {
  withRoom(state, () => makeDirectories(state))
  checkState(state)
  withRoom(state, () => prepareLock(state))
}

/** Not by mkdir's `recursive`: in Node 20 that never ends below /proc. */
function makeDirectories(directory: string): void {
  if (isThere(directory)) return
  makeDirectories(path.dirname(directory))
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error // else somebody else has just made it
  }
}

/**
 * What a journal says is done as whoever undoes it, root perhaps: nobody else may be able to write one, or to put another
 * directory in the place of its own.
 * @throws RefusedError where somebody else could
 */
export function checkState(state: string): void {
  const stat = lookAt(state)
  const us = process.geteuid?.()
  if (stat !== undefined && !(stat.isDirectory() && stat.uid === us && (stat.mode & OTHERS_WRITE) === 0)) {
    throw new RefusedError(`${state} is no directory that we alone may write to`, { hint: OWN_STATE })
  }
  for (let above = path.dirname(state); ; above = path.dirname(above)) {
    const found = lookAt(above)
    if (found !== undefined && mayBeReplacedIn(found)) {
      throw new RefusedError(`${state} could be replaced by others, who may write to ${above}`, {
        hint: OWN_STATE,
      })
    }
    if (above === path.dirname(above)) return
  }
}

const OTHERS_WRITE = 0o022
const STICKY = 0o1000
const OWN_STATE =
  'the undo journal is obeyed by whoever undoes: give a directory of your own with --state, below directories of your own, or of root'

/** Whether somebody else may rename what is in a directory: its owner, and who may write to it, unless it is sticky. */
function mayBeReplacedIn({ uid, gid, mode }: Stats): boolean {
  const us = process.geteuid?.()
  if (uid !== 0 && uid !== us) return true
  if ((mode & STICKY) !== 0) return false
  const byGroup = (mode & constants.S_IWGRP) !== 0 && gid !== 0 && gid !== process.getegid?.()
  return byGroup || (mode & constants.S_IWOTH) !== 0
}

export class Journal {
  readonly directory: string
  readonly #state: string
  readonly #head: PlanFile

  private constructor(state: string, head: PlanFile) {
    this.#state = state
    this.#head = head
    this.directory = activeDirectory(state)
  }

  /**
   * Begins the journal of a drill. There can be only one at a time: mkdir(2) decides.
   * @throws RefusedError where another drill has not been undone; HostError where it cannot be written
   */
  static begin(state: string, head: PlanFile): Journal {
    const journal = new Journal(state, head)
    try {
      mkdirSync(journal.directory, { mode: 0o700 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw noRoom(state, error)
      throw new RefusedError(`another drill is active: ${journal.directory}`, {
        hint: "'lightning-chaos drill status' shows it, 'lightning-chaos drill undo' undoes it",
      })
    }
    try {
      journal.#keep(() => {
        syncDirectory(state)
        journal.#write('plan.json', head)
      })
      return journal
    } catch (error) {
      journal.remove()
      throw error
    }
  }

  /**
   * Saves how everything was that will be changed, and arms the journal. Where that fails the journal is removed.
   * @throws HostError where it cannot be written; what `saved` throws
   */
  async save(saved: Iterable<Saved>): Promise<readonly Saved[]> {
    const kept: Saved[] = []
    const hash = createHash('sha256')
    const file = path.join(this.directory, 'saved.jsonl')
    try {
      const fd = this.#keep(() => openSync(file, NEW_FILE, 0o600))
      try {
        let lines = ''
        const flush = () => {
          hash.update(lines)
          this.#keep(() => writeFileSync(fd, lines))
          lines = ''
        }
        for (const each of saved) {
          kept.push(each)
          lines += `${JSON.stringify(each)}\n`
          if (kept.length % LINES_AT_A_TIME > 0) continue
          flush()
          await breathe()
        }
        flush()
        this.#keep(() => fsyncSync(fd))
      } finally {
        closeSync(fd)
      }
      const armed = { ...this.#head, lines: kept.length, sha256: hash.digest('hex') }
      this.#keep(() => {
        syncDirectory(this.directory)
        this.#write('armed.json', armed)
      })
      return kept
    } catch (error) {
      this.remove()
      throw error
    }
  }

  remove(): void {
    removeJournal(this.#state)
  }

  #keep<T>(write: () => T): T {
    return withRoom(this.#state, write)
  }

  /** A file is there as a whole, or not at all. */
  #write(name: string, content: PlanFile | ArmedFile): void {
    const file = path.join(this.directory, name)
    const fd = openSync(`${file}.new`, NEW_FILE, 0o600)
    try {
      writeFileSync(fd, `${JSON.stringify(content)}\n`)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(`${file}.new`, file)
    syncDirectory(this.directory)
  }
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** @returns undefined where no drill has to be undone */
export function readJournal(state: string): JournalContent | undefined {
  const directory = activeDirectory(state)
  if (!isThere(directory)) return undefined
  const planFile = readJson<PlanFile>(directory, 'plan.json')
  const armedFile = readJson<ArmedFile>(directory, 'armed.json')
  const head = planFile ?? armedFile
  const { saved, digest, broken } = readSaved(path.join(directory, 'saved.jsonl'))
  const isArmed = isThere(path.join(directory, 'armed.json'))
  const damage = [
    ...(isThere(path.join(directory, 'plan.json')) && planFile === undefined ? ['plan.json is damaged'] : []),
    ...((isArmed || saved.length > 0) && planFile === undefined && !isThere(path.join(directory, 'plan.json'))
      ? ['plan.json is gone']
      : []),
    ...(isArmed && armedFile === undefined ? ['armed.json is damaged'] : []),
    ...(armedFile !== undefined && armedFile.sha256 !== digest
      ? [`saved.jsonl is damaged: ${saved.length} of ${armedFile.lines} lines can be read`]
      : []),
    ...(isArmed && armedFile === undefined && broken ? ['saved.jsonl is damaged'] : []),
  ]
  // Most likely nothing was changed yet where armed.json is missing; but somebody may have removed it. An undo then changes
  // nothing, unless somebody else has meanwhile done the very same thing (frozen, stopped).
  return { plan: head?.plan, watchdog: head?.watchdog, saved, armed: isArmed || saved.length > 0, damage }
}

/** Whose journal is there: the id of the drill. Undefined where there is none, or that cannot be read. */
export function journaledDrill(state: string): string | undefined {
  const directory = activeDirectory(state)
  const head = readJson<PlanFile>(directory, 'plan.json') ?? readJson<ArmedFile>(directory, 'armed.json')
  return head?.plan?.id
}

/**
 * The journal of a drill of which nothing has to be undone any more goes, what makes it armed first.
 * @param only of this drill: another may have begun since, where somebody removed the first one's journal
 */
export function removeJournal(state: string, only?: string): void {
  const directory = activeDirectory(state)
  const there = only === undefined ? undefined : journaledDrill(state)
  if (there !== only && there !== undefined) return
  const remove = (name: string) => rmSync(path.join(directory, name), { force: true })
  for (const name of ['armed.json', 'armed.json.new', 'saved.jsonl']) remove(name)
  noteUndone(state, only)
  for (const name of ['plan.json', 'plan.json.new']) remove(name)
  try {
    rmdirSync(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error // somebody else undid it, too
  }
}

/** By a rename, where that can be: a disk may be full by now. */
function noteUndone(state: string, id: string | undefined): void {
  const note = path.join(state, UNDONE)
  try {
    renameSync(path.join(activeDirectory(state), 'plan.json'), note)
  } catch {
    try {
      writeFileSync(note, JSON.stringify({ plan: { id } }), { mode: 0o600 })
    } catch {
      // whoever asks later is not told that it was undone, and looks
    }
  }
}

/** Whether a drill was the last one of which nothing is left to be undone. */
export function wasUndone(state: string, { id }: DrillPlan): boolean {
  return readJson<PlanFile>(state, UNDONE)?.plan.id === id
}

export function activeDirectory(state: string): string {
  return path.join(state, 'active')
}

function readSaved(file: string): { saved: Saved[]; digest: string; broken: boolean } {
  const text = readOr(file, '')
  const lines = text.split('\n')
  // what has no newline was cut off while it was written, or later
  const rest = lines.pop()
  const saved = lines.map((line) => parse<Saved | null>(line)).filter((each) => isObject(each))
  const digest = createHash('sha256').update(text).digest('hex')
  return { saved, digest, broken: rest !== '' || saved.length < lines.length }
}

function isObject(value: unknown): value is Saved {
  return typeof value === 'object' && value !== null
}

function readJson<T>(directory: string, name: string): T | undefined {
  return parse<T>(readOr(path.join(directory, name), ''))
}

function parse<T>(text: string): T | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // damaged, and whoever asked says so
  }
}

function readOr(file: string, missing: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return missing
  }
}

function isThere(file: string): boolean {
  return lookAt(file) !== undefined
}

function lookAt(file: string): Stats | undefined {
  try {
    return lstatSync(file)
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** @throws HostError where it cannot be written */
function withRoom<T>(state: string, write: () => T): T {
  try {
    return write()
  } catch (cause) {
    throw noRoom(state, cause)
  }
}

function noRoom(state: string, cause: unknown): HostError {
  const isFull = ['ENOSPC', 'EDQUOT'].includes((cause as NodeJS.ErrnoException).code ?? '')
  return new HostError(`the undo journal cannot be written: ${(cause as Error).message}`, {
    hint: `nothing was touched; ${isFull ? `make room in ${state}, or ` : ''}give another directory with --state`,
    cause,
  })
}
