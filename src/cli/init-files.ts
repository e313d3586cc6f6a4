/** What `init` writes: from the answers to the files of a project. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { percent } from '../report/words.js'
import type { Language } from './options.js'

/** Not compiled: as far away from dist/cli as from src/cli. */
const TEMPLATES = fileURLToPath(new URL('../../src/cli/templates/', import.meta.url))

/** Where editors find the JSON Schema of the config, once the package is installed. */
const SCHEMA = 'node_modules/lightning-chaos/dist/config.schema.json'

/** Where the check is to run. */
export const CI_SERVICES = {
  github: { title: 'GitHub Actions', file: '.github/workflows/chaos.yml', template: 'github.yml' },
  gitlab: { title: 'GitLab CI', file: 'chaos/gitlab-ci.yml', template: 'gitlab-ci.yml' },
  shell: { title: 'any other CI', file: 'chaos/ci.sh', template: 'ci.sh' },
} as const

export type CiService = keyof typeof CI_SERVICES

/** The template of an adapter, by the language that it is in. */
const ADAPTERS: Readonly<Record<Language, string>> = { js: 'adapter.mjs', python: 'adapter.py' }

export interface Answers {
  /** Name of a bundled target, or path of a target file. */
  readonly target: string
  readonly scenarios: readonly string[]
  readonly ci: CiService | 'none'
  /** A share from 0 to 1. */
  readonly gate: number
  /** Undefined: a new one in each run. */
  readonly seed: string | undefined
}

export interface ProjectFile {
  readonly path: string
  readonly text: string
  readonly executable?: true
  /** What it is for, in a few words. */
  readonly about: string
}

export function configFile(file: string, answers: Answers): ProjectFile {
  const { target, scenarios, gate, seed } = answers
  const line = (key: string, value: unknown) => stringify({ [key]: value }).trimEnd()
  const text = `# yaml-language-server: $schema=${SCHEMA}
# What 'lightning-chaos run' does. The command line and the environment (LIGHTNING_CHAOS_GATE and so on) come before it.

# what is tested: a bundled database, or a target file, which says how it is started and what it promises
${line('target', target)}
# names, families or patterns (lightning-chaos list), or files of your own
${line('scenarios', scenarios)}
# of each scenario; each says itself how many it wants
# trials: 20

# percent of the trials that have to pass; lost data fails the gate whatever the rate
${line('gate', Number.parseFloat(percent(gate)))}
# failures that are put up with until a day, each with its reason
# known:
#   - { scenario: diskfull/xfs, violation: hung, reason: issue 12, expires: 2030-01-31 }

# without a seed each run has new trials, and a failure is repeated by the replay line under it
${seed === undefined ? '# seed: any-text' : line('seed', seed)}
`
  return { path: file, text, about: 'what a run does' }
}

/** Whether a target is a file, and not the name of a bundled one. */
export function isTargetFile(target: string): boolean {
  return /\.ya?ml$/.test(target)
}

/** A target file, and the adapter beside it that it starts. */
export async function targetFiles(target: string, language: Language): Promise<[ProjectFile, ProjectFile]> {
  const adapter = ADAPTERS[language]
  const text = `# How lightning-chaos starts the target. To check the adapter: lightning-chaos target check --target ${target}
name: my-database
command: [./${adapter}]
contract:
  # It promises everything but this, and every report shows it. The promises: docs/target-protocol.md of lightning-chaos.
  waive:
    deletes-when-full: a delete appends a line to the log, which needs room
`
  return [
    { path: path.normalize(target), text, about: 'how the target is started, and what it promises' },
    {
      path: path.join(path.dirname(target), adapter),
      text: await template(adapter),
      executable: true,
      about: 'a small database that works: put yours in its place',
    },
  ]
}

/** @param version of this tool: the check does not change by itself */
export async function ciFile(service: CiService, version: string): Promise<ProjectFile> {
  const { file, template: name, title } = CI_SERVICES[service]
  const text = (await template(name)).replaceAll('@VERSION', `@${version}`)
  return {
    path: file,
    text,
    ...(name.endsWith('.sh') ? { executable: true } : {}),
    about: `the check, for ${title}`,
  }
}

async function template(name: string): Promise<string> {
  return await readFile(path.join(TEMPLATES, name), 'utf8')
}
