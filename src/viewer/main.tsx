/** The page of the HTML report. It is given all it shows, judges nothing, and loads nothing. */
import { render } from 'preact'
import { App } from './app.js'
import { readPage } from './data.js'
import './style.css'

const root = document.getElementById('app')!
readPage(document.getElementById('data')!.textContent).then(
  (page) => {
    document.title = `${page.gate.line} · ${page.facts[0]}`
    render(<App page={page} />, root)
  },
  (error: unknown) => {
    root.textContent = `The data of this report cannot be read: ${String(error)}`
  },
)
