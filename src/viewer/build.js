// Makes the viewer one text with a gap for the data, as a module that the html reporter imports.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { build } from 'vite'
import { viteSingleFile } from 'vite-plugin-singlefile'

const PLACEHOLDER = '%DATA%'
const MODULE = new URL('../report/viewer-page.ts', import.meta.url)

const { output } = await build({
  root: import.meta.dirname,
  configFile: false,
  logLevel: 'warn',
  plugins: [viteSingleFile({ removeViteModuleLoader: true })],
  build: { write: false, target: 'es2023' },
})
const page = output.find(({ fileName }) => fileName === 'index.html').source
const parts = withLicences(withPolicy(page)).split(PLACEHOLDER)
if (parts.length !== 2) throw new Error(`the page has ${parts.length - 1} gaps for the data`)
writeFileSync(
  MODULE,
  `/** Made by src/viewer/build.js: the page, without the data that stands between its two parts. */
export const VIEWER: readonly [before: string, after: string] = ${JSON.stringify(parts)}
`,
)

/** The page may load nothing and run this one script: https://www.w3.org/TR/CSP3/ */
function withPolicy(html) {
  const scripts = [...html.matchAll(/<script type="module"[^>]*>(.*?)<\/script>/gs)]
  if (scripts.length !== 1) throw new Error(`the page has ${scripts.length} scripts, and should have one`)
  const hash = createHash('sha256').update(scripts[0][1]).digest('base64')
  const policy = `default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`
  return html.replace(
    '<meta charset="utf-8" />',
    (meta) => `${meta}\n    <meta http-equiv="Content-Security-Policy" content="${policy}" />`,
  )
}

/** Every report is a copy of what the page is made of. */
function withLicences(html) {
  const texts = ['preact', 'uplot'].map((name) => {
    const licence = new URL(`../../node_modules/${name}/LICENSE`, import.meta.url)
    return `${name}\n\n${readFileSync(licence, 'utf8').trim()}`
  })
  return html.replace('</body>', () => `<!--\n${texts.join('\n\n')}\n-->\n  </body>`)
}
