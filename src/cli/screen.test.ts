import { describe, expect, it } from 'vitest'
import { CollectingStream } from '../testing/stream.js'
import { createScreen } from './screen.js'

const pipe = undefined

function screen(environment: Record<string, string>, columns: number | undefined) {
  const streams = { stdout: new CollectingStream(columns), stderr: new CollectingStream(columns) }
  return createScreen(environment, streams).out
}

describe('createScreen', () => {
  it.each<[string, Record<string, string>, number | undefined, boolean, boolean]>([
    ['a terminal', { TERM: 'xterm' }, 80, true, true],
    ['a terminal that knows no width', { TERM: 'xterm' }, 0, true, false],
    ['a pipe', { TERM: 'xterm' }, pipe, false, false],
    ['NO_COLOR', { NO_COLOR: '1' }, 80, false, true],
    ['an empty NO_COLOR', { NO_COLOR: '' }, 80, true, true],
    ['a dumb terminal', { TERM: 'dumb' }, 80, false, false],
    ['CI', { CI: 'true' }, 80, false, false],
    ['CI=false', { CI: 'false' }, 80, true, true],
    ['FORCE_COLOR in a pipe', { FORCE_COLOR: '1' }, pipe, true, false],
    ['an empty FORCE_COLOR', { FORCE_COLOR: '' }, pipe, true, false],
    ['FORCE_COLOR against NO_COLOR and CI', { FORCE_COLOR: '3', NO_COLOR: '1', CI: '1' }, 80, true, false],
    ['FORCE_COLOR=0', { FORCE_COLOR: '0' }, 80, false, true],
  ])('with %s', (_, environment, columns, coloured, interactive) => {
    const { chalk, ...output } = screen(environment, columns)
    expect(chalk.red('x') !== 'x').toBe(coloured)
    expect(output.interactive).toBe(interactive)
  })

  it.each([
    [100, 100],
    [0, 80],
    [pipe, 120],
  ])('takes %s columns for a width of %i', (columns, width) => {
    expect(screen({}, columns).width).toBe(width)
  })
})
