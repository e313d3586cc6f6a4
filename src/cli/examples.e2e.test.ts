/** What docs/examples and `init` give to a CI service or a cluster: checked against its schema, and run here. */
import { readFileSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { NoOperationTraceWriter, parseWorkflow } from '@actions/workflow-parser'
import { execa } from 'execa'
import { Job } from 'kubernetes-models/batch/v1'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { bash, project, toolPath } from '../testing/ci.js'
import { cli, has, ROOT } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'
import { startSlurm } from '../testing/slurm.js'

const VERDICT = /seed (\S+), 2 shards, [\s\S]*\nPASS 100\.0% \(2\/2\) >= 95%\n/

const ONE_TRIAL = 'scenarios: [diskfull/neighbour]\ntrials: 1\n'

let PATH: string
beforeAll(async () => {
  PATH = await toolPath()
})

function example(name: string): string {
  return readFileSync(path.join(ROOT, 'docs/examples', name), 'utf8')
}

/** A CI file as init writes it. */
async function written(ci: string, file: string): Promise<string> {
  const cwd = await project()
  const args = ['init', '--force', '--target', 'lightning', '--scenarios', 'diskfull/neighbour', '--ci', ci]
  expect((await cli(args, { cwd })).exitCode).toBe(0)
  return await readFile(path.join(cwd, file), 'utf8')
}

describe('GitHub', () => {
  function errorsOf(content: string): string[] {
    const { context } = parseWorkflow({ name: 'chaos.yml', content }, new NoOperationTraceWriter())
    return context.errors.getErrors().map(({ message }) => message)
  }

  const expression = (text: string) => `\${{ ${text} }}`

  interface Workflow {
    readonly jobs: Record<string, { env?: Record<string, string>; steps: { run?: string }[] }>
  }
  const scripts = (text: string, job: string) =>
    (parse(text) as Workflow).jobs[job]!.steps.flatMap(({ run }) => (run === undefined ? [] : [run]))

  test('the check of init is a workflow, and its script is a run', async () => {
    const text = await written('github', '.github/workflows/chaos.yml')
    expect(errorsOf(text)).toEqual([])
    expect(errorsOf(text.replace('runs-on', 'run-on'))).not.toEqual([])
    const [script] = scripts(text, 'chaos')
    const { exitCode, stdout } = await bash(script!, { cwd: await project(ONE_TRIAL), env: { PATH } })
    expect(exitCode).toBe(0)
    expect(stdout).toContain('PASS 100.0% (1/1)')
  })

  test('the matrix is a workflow, and its jobs are one run', async () => {
    const text = example('github-matrix.yml')
    expect(errorsOf(text)).toEqual([])
    const { env } = (parse(text) as Workflow).jobs.shard!
    expect(env).toEqual({
      LIGHTNING_CHAOS_JOB_INDEX: expression('strategy.job-index'),
      LIGHTNING_CHAOS_JOB_TOTAL: expression('strategy.job-total'),
    })
    const verdict = await project()
    for (const index of [0, 1]) {
      const cwd = await project()
      const matrix = { LIGHTNING_CHAOS_JOB_INDEX: String(index), LIGHTNING_CHAOS_JOB_TOTAL: '2' }
      for (const script of scripts(text, 'shard'))
        expect((await bash(script, { cwd, env: { PATH, GITHUB_RUN_ID: '99', ...matrix } })).exitCode).toBe(0)
      // as upload-artifact and download-artifact move them
      await cp(path.join(cwd, '.lightning-chaos'), path.join(verdict, `shards/lightning-chaos-${index}`), {
        recursive: true,
      })
    }
    const [script] = scripts(text, 'verdict')
    const { exitCode, stdout } = await bash(script!, { cwd: verdict, env: { PATH } })
    expect(exitCode).toBe(0)
    expect(VERDICT.exec(stdout)?.[1]).toBe('github-99')
  })
})

describe('GitLab', () => {
  type Pipeline = Record<string, { script: string[] }>

  test('the check of init is a run, with a JUnit report', async () => {
    const { chaos } = parse(await written('gitlab', 'chaos/gitlab-ci.yml')) as Pipeline
    const cwd = await project(ONE_TRIAL)
    expect((await bash(chaos!.script.join('\n'), { cwd, env: { PATH } })).exitCode).toBe(0)
    expect(await readFile(path.join(cwd, 'chaos.xml'), 'utf8')).toContain('tests="1" failures="0"')
  })

  test('parallel jobs are one run', async () => {
    const { shard, verdict } = parse(example('gitlab-parallel.yml')) as unknown as Pipeline
    const together = await project()
    for (const index of ['1', '2']) {
      const cwd = await project()
      const env = { PATH, GITLAB_CI: 'true', CI_PIPELINE_ID: '7', CI_NODE_INDEX: index, CI_NODE_TOTAL: '2' }
      expect((await bash(shard!.script.join('\n'), { cwd, env })).exitCode).toBe(0)
      await cp(path.join(cwd, 'shards'), path.join(together, 'shards'), { recursive: true })
    }
    const { exitCode, stdout } = await bash(verdict!.script.join('\n'), { cwd: together, env: { PATH } })
    expect(exitCode).toBe(0)
    expect(VERDICT.exec(stdout)?.[1]).toBe('gitlab-7')
  })
})

test('the check of init for a shell is a run', async () => {
  const text = await written('shell', 'chaos/ci.sh')
  const cwd = await project(ONE_TRIAL)
  await mkdir(path.join(cwd, 'chaos'))
  const { exitCode, stdout } = await bash(text.replace('"$0"', 'chaos/ci.sh'), { cwd, env: { PATH } })
  expect(exitCode).toBe(0)
  expect(stdout).toContain('PASS 100.0% (1/1)')
})

describe('Kubernetes', () => {
  const manifests = (name: string) => parseAllDocuments(example(name)).map((document) => document.toJS())
  const documents = manifests('kubernetes-indexed-job.yaml')
  /** Of a drill. */
  const [drill] = manifests('kubernetes-job.yaml')

  test('the manifest is what the API takes', () => {
    expect(documents.map(({ kind }) => kind)).toEqual(['Job', 'Job'])
    for (const manifest of [...documents, drill]) new Job(manifest).validate()
    const wrong = { ...documents[0], spec: { ...documents[0].spec, completions: '4' } }
    expect(() => new Job(wrong).validate()).toThrow('completions must be integer')
  })

  test('the manifest has no field that the API does not know', async () => {
    // the schema takes any; the types that are made of it do not
    const problems = async (some: readonly unknown[]) => {
      const file = `${freshPath()}.ts`
      const types = path.join(ROOT, 'node_modules/kubernetes-models/batch/v1/Job')
      const jobs = some.map((each, at) => `export const job${at}: IJob = ${JSON.stringify(each)}\n`)
      await writeFile(file, `import type { IJob } from '${types}'\n${jobs.join('')}`)
      const options = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext']
      const { stdout } = await execa('npx', ['tsc', ...options, file], { cwd: ROOT, reject: false })
      return stdout
    }
    expect(await problems([...documents, drill])).toBe('')
    expect(await problems([{ ...documents[0], spec: { ...documents[0].spec, completion: 4 } }])).toContain(
      "does not exist in type 'IJobSpec'",
    )
  })

  test('there are as many pods as each is told', () => {
    const { completions, completionMode, template } = documents[0].spec
    const { env } = template.spec.containers[0]
    expect(completionMode).toBe('Indexed')
    expect(env).toContainEqual({ name: 'LIGHTNING_CHAOS_JOB_TOTAL', value: String(completions) })
  })

  test('its pods are one run, in one directory', async () => {
    const cwd = await project()
    const command = (job: number) => documents[job].spec.template.spec.containers[0].command as string[]
    const pod = async (job: number, env: Record<string, string>) => {
      const [program, ...args] = command(job)
      return await execa(program!, args, { cwd, reject: false, env: { PATH, HOME: '/nonexistent', ...env } })
    }
    for (const index of ['0', '1']) {
      const env = { JOB_COMPLETION_INDEX: index, LIGHTNING_CHAOS_JOB_TOTAL: '2', LIGHTNING_CHAOS_SEED: 'uid' }
      expect((await pod(0, env)).exitCode).toBe(0)
    }
    const { exitCode, stdout } = await pod(1, {})
    expect(exitCode).toBe(0)
    expect(VERDICT.exec(`${stdout}\n`)?.[1]).toBe('uid')
  })
})

describe('a drill', () => {
  interface Task {
    readonly name: string
    readonly 'ansible.builtin.command'?: { readonly argv: readonly string[] }
    readonly changed_when?: unknown
    readonly block?: readonly Task[]
    readonly always?: readonly Task[]
  }
  const [play] = parse(example('ansible.yaml')) as [{ readonly tasks: readonly Task[] }]
  const tasks = play.tasks.flatMap(({ block = [], always = [] }) => [...block, ...always])

  function task(name: string) {
    const found = tasks.find((each) => each.name === name)!
    const [program, ...args] = found['ansible.builtin.command']!.argv
    expect(program).toBe('lightning-chaos')
    return { args, changedWhen: String(found.changed_when) }
  }

  /** A service of ours that can be paused, and a drill of it where the playbook says that its drill is. */
  async function host() {
    const directory = freshPath()
    await mkdir(directory)
    const service = execa('sleep', ['1000'], { reject: false })
    const drill = path.join(directory, 'drill.yaml')
    await writeFile(drill, `fault: pause\nservice: { pid: ${service.pid} }\nfor: 1s\n`)
    const here = (arg: string) =>
      arg
        .replace('/etc/lightning-chaos/drill.yaml', drill)
        .replace('/var/lib/lightning-chaos/', `${directory}/`)
    const state = ['--state', path.join(directory, 'state')]
    return { directory, service, run: (args: readonly string[]) => cli([...args.map(here), ...state]) }
  }

  test('of the playbook is done, undone, and reported where it is fetched from', async () => {
    const { directory, service, run } = await host()
    try {
      const done = await run(task('Do it').args)
      expect(done.exitCode, done.stdout + done.stderr).toBe(0)
      const report = JSON.parse(await readFile(path.join(directory, 'report.json'), 'utf8'))
      expect(report.gate.met).toBe(true)
      const undo = task('Undo what is left')
      const undone = await run(undo.args)
      expect(undone.exitCode).toBe(0)
      const [, told] = /^'(.*)' not in undo\.stdout$/.exec(undo.changedWhen)!
      expect(undone.stdout).toContain(told)
    } finally {
      service.kill('SIGKILL')
    }
  })

  test('that was left is undone at boot by the command that the playbook ends with', () => {
    const unit = readFileSync(path.join(ROOT, 'docs/drills.md'), 'utf8')
    const [, args] = /^ExecStart=\/usr\/bin\/lightning-chaos (.*)$/m.exec(unit)!
    expect(args!.split(' ')).toEqual(task('Undo what is left').args)
  })
})

describe('Slurm', () => {
  // slurmd starts jobs as whoever sent them, which takes root
  const missing = ['slurmctld', 'slurmd', 'sbatch', 'munged'].filter((program) => !has(program))
  const isRoot = process.geteuid?.() === 0

  test('the array is one run, in one directory', async ({ skip }) => {
    skip(
      missing.length > 0,
      `needs ${missing.join(', ')}: apt-get install slurmctld slurmd slurm-client munge`,
    )
    skip(!isRoot, 'needs root')
    const cwd = await project('scenarios: [permissions]\n')
    const slurm = await startSlurm(freshPath())
    try {
      const options = { cwd, env: { ...slurm.env, PATH, LIGHTNING_CHAOS_TRIALS: '2' } }
      const script = path.join(ROOT, 'docs/examples/slurm-array.sh')
      const sent = ['--parsable', '--array=1-2', script, 'diskfull/neighbour']
      const { stdout: id } = await execa('sbatch', sent, options)
      const [, wrap] = /--wrap '(.*)'/.exec(example('slurm-array.sh'))!
      const after = [`--dependency=afterany:${id}`, '--parsable', '--output=verdict.log', '--wrap', wrap!]
      const { stdout: last } = await execa('sbatch', after, options)
      const state = () =>
        execa('squeue', ['--noheader', '--format=%T', '--states=all', '--job', last], options)
      for (const deadline = Date.now() + 50_000; (await state()).stdout !== 'COMPLETED'; await sleep(200)) {
        if (Date.now() > deadline) throw new Error(`the job is ${(await state()).stdout}`)
      }
      const verdict = await readFile(path.join(cwd, 'verdict.log'), 'utf8')
      expect(VERDICT.exec(verdict)?.[1]).toBe(`slurm-${id}`)
    } finally {
      await slurm.close()
    }
  })
})

test('every example is of this version', async () => {
  const { version } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'))
  for (const name of [
    'github-matrix.yml',
    'gitlab-parallel.yml',
    'kubernetes-indexed-job.yaml',
    'slurm-array.sh',
  ]) {
    const named = [...example(name).matchAll(/lightning-chaos@([\d.]+)/g)].map(([, found]) => found)
    expect(new Set(named), name).toEqual(new Set([version]))
  }
})
