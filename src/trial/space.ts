import type { MountedVolume, VolumeSpace } from '../volume/volume.js'
import type { Recorder } from './recorder.js'

/** Between two looks at the volume, in milliseconds. One costs the time of a statfs(2): some microseconds. */
const INTERVAL = 50

/** Writes down how much room the volume has left, for people and pictures: no verdict rests on it. */
export class SpaceWatch {
  readonly #volume: Pick<MountedVolume, 'space'>
  readonly #recorder: Pick<Recorder, 'record'>
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #last: VolumeSpace | undefined

  constructor(volume: Pick<MountedVolume, 'space'>, recorder: Pick<Recorder, 'record'>) {
    this.#volume = volume
    this.#recorder = recorder
  }

  /** Looks at once, and then again and again. */
  async start(): Promise<void> {
    this.#timer ??= setInterval(() => this.look(), INTERVAL)
    await this.look()
  }

  /** Looks for the last time. While it is stopped, the volume may be unmounted. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.look()
  }

  look(): Promise<void> {
    // one at a time, so that what is written down is in order
    this.#looking = this.#looking
      .then(() => this.#volume.space())
      .then(
        (space) => this.#record(space),
        () => {}, // a file system that has shut itself down does not even say how much room it has: that is its answer
      )
    return this.#looking
  }

  #record(space: VolumeSpace): void {
    if (this.#last?.freeBytes === space.freeBytes && this.#last.freeInodes === space.freeInodes) return
    this.#last = space
    this.#recorder.record({ type: 'space', ...space })
  }
}
