/** The colours of the charts, as the style sheet has them for the theme that is on. */
import { useEffect, useState } from 'preact/hooks'
import type { Span } from '../history/timeline.js'

const NAMES = [
  'page',
  'text',
  'grid',
  'acked',
  'read',
  'refused',
  'median',
  'slowest',
  'evidence',
  'target',
  'violation',
  'room',
] as const

export type Colours = Readonly<Record<(typeof NAMES)[number], string>> & {
  readonly shades: Readonly<Record<Span['kind'], string>>
}

function readColours(): Colours {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim()
  const named = Object.fromEntries(NAMES.map((name) => [name, colour(name)])) as Record<
    (typeof NAMES)[number],
    string
  >
  const shade = (name: string) => colour(`shade-${name}`)
  const shades = {
    full: shade('full'),
    'read-only': shade('read-only'),
    io: shade('io'),
    errorless: shade('errorless'),
    verify: shade('verify'),
  }
  return { ...named, shades }
}

/** Read again when the theme changes. */
export function useColours(): Colours {
  const [colours, setColours] = useState(readColours)
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)')
    const read = () => setColours(readColours())
    dark.addEventListener('change', read)
    return () => dark.removeEventListener('change', read)
  }, [])
  return colours
}
