/**
 * Files that the kernel makes a disk of (losetup(8)), or swaps to (swapon(8)). Whoever is on such a disk loses what it writes
 * where the file cannot be written to.
 */
import { spawnSync } from 'node:child_process'
import { type BigIntStats, lstatSync } from 'node:fs'
import { COMMAND_PATH } from '../../sandbox/command.js'
import type { Place } from '../plan.js'
import { type FileId, fileId } from './files.js'
import { namesOf, textOf } from './kernel.js'
import { mountOf, unescapeOctal } from './mounts.js'

/** Where a block that is written is always another one: the old one is free only later. */
const COPY_ON_WRITE = ['btrfs', 'bcachefs', 'zfs']
/** The file of a disk may lie where nobody answers. */
const PATIENCE_MS = 10_000

export interface Image {
  /** As the kernel names it: where it was opened in another mount namespace, or is removed, that is no name of ours. */
  readonly file: string
  /** What is made of it: a device, or 'swap'. */
  readonly device: string
  /** As imageId has it; undefined where that cannot be told. */
  readonly id: string | undefined
  /** Whether a write may need room that it does not have yet. */
  readonly needsRoom: boolean
}

/** Which file it is, among all of the host: by its device and number. */
export function imageId({ dev, ino }: Pick<FileId, 'dev' | 'ino'>): string {
  return `${majorMinor(BigInt(dev))} ${ino}`
}

/** Files on the file system of a place that loop devices are made of, which may be written to. */
export function disksOn(place: Place): Image[] {
  const told = idsOfDisks()
  return namesOf('/sys/block').flatMap((name) => {
    const file = textOf(`/sys/block/${name}/loop/backing_file`)?.replace(/\n$/, '')
    if (file === undefined || textOf(`/sys/block/${name}/ro`)?.trim() === '1') return []
    return imageOn(place, { file, device: `/dev/${name}` }, told.get(`/dev/${name}`))
  })
}

/** Files on the file system of a place that the host swaps to. */
export function swapsOn(place: Place): Image[] {
  return swapFiles(textOf('/proc/swaps') ?? '').flatMap((file) => imageOn(place, { file, device: 'swap' }))
}

/** @param text proc_swaps(5) */
export function swapFiles(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [file = '', type] = line.split(/\s+/)
    return type === 'file' ? [unescapeOctal(file)] : []
  })
}

/** @param told its id, where the kernel has said that: it knows better than any name */
function imageOn(place: Place, named: Pick<Image, 'file' | 'device'>, told?: string): Image[] {
  // what lies elsewhere may be on a disk that does not answer
  const isHere = mountOf(named.file)?.device === place.device
  const stat = isHere ? lookAt(named.file) : undefined
  const id = told ?? (stat && imageId(fileId(stat)))
  const known = stat !== undefined && imageId(fileId(stat)) === id ? stat : undefined
  const devices = [place.device, majorMinor(BigInt(place.id.dev))]
  if (known === undefined && !(told === undefined ? isHere : devices.includes(told.split(' ')[0]!))) return []
  const needsRoom =
    known === undefined || COPY_ON_WRITE.includes(place.type) || known.blocks * 512n < known.size
  return [{ ...named, id, needsRoom }]
}

function lookAt(file: string): BigIntStats | undefined {
  try {
    return lstatSync(file, { bigint: true })
  } catch {
    return undefined // removed, of another mount namespace, or not ours to look at
  }
}

/** Ids of the files of loop devices, as far as we may ask. */
function idsOfDisks(): Map<string, string> {
  const args = ['--list', '--raw', '--noheadings', '--output', 'NAME,BACK-MAJ:MIN,BACK-INO']
  const { stdout } = spawnSync('losetup', args, {
    env: { PATH: COMMAND_PATH, LC_ALL: 'C' },
    encoding: 'utf8',
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
  })
  // where there is no answer, the names are what there is
  return new Map(
    (stdout ?? '').split('\n').flatMap((line) => {
      const [name = '', device = '', number = ''] = line.replaceAll('\\x20', '').split(' ')
      return /^\d+:\d+$/.test(device) && number !== '' ? [[name, `${device} ${number}`]] : []
    }),
  )
}

/** 'major:minor' of a device's number: makedev(3). */
function majorMinor(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn)
  return `${major}:${minor & 0xffffffffn}`
}
