// The tool's own cost: trials against their floor, and two workers against one. Ratios from one run.
//
// The floor starts the same processes and sends them the same operations, with the same client code, on the same kind
// of file system, with no sandbox, no fault, no evidence, no history and no judge.
import { mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { RUNNER } from '../dist/history/events.js'
import { selectScenarios } from '../dist/scenario/load.js'
import { planSteps, planTrials } from '../dist/scenario/plan.js'
import { resolveTarget } from '../dist/target/resolve.js'
import { Driver } from '../dist/trial/driver.js'
import { killDuring } from '../dist/trial/kill.js'
import { Session } from '../dist/trial/session.js'
import { random } from '../dist/workload/random.js'
import { createWorkload } from '../dist/workload/workload.js'
import { median, ratio, row } from './figures.js'

const SCENARIO = 'diskfull/neighbour'
const TRIALS = 30
const ROUNDS = 3

const silent = { record() {} }
const [{ scenario }] = await selectScenarios([SCENARIO])
const target = await resolveTarget({})

async function floor() {
  const started = performance.now()
  for (const { seed } of planTrials(scenario, { seed: 'bench', trials: TRIALS })) await floorTrial(seed)
  return performance.now() - started
}

async function floorTrial(seed) {
  const data = await mkdtemp('/dev/shm/lightning-chaos-bench-')
  const workload = createWorkload(seed, scenario.workload)
  const driver = new Driver(seed, scenario.workload, workload, silent)
  const session = new Session({
    command: target.command,
    environment: process.env,
    cwd: process.cwd(),
    data,
    answerMs: 5000,
    recorder: silent,
    async onProcess() {},
    async killStrays() {},
  })
  const verify = async () => {
    await driver.perform(session.open, RUNNER, { f: 'scan', after: null, limit: 500 })
    for (const key of workload.keys) await driver.perform(session.open, RUNNER, { f: 'get', key })
  }
  const actions = {
    start: () => session.start(),
    stop: () => session.stop(),
    kill: ({ during }) =>
      during ? killDuring(during, { session, driver, stream: random(seed, 'kill') }) : session.kill(),
    verify,
    run: ({ operations, mix }) =>
      driver.run(session.open, { operations, mix: mix ?? scenario.workload.mix, untilRefused: false }),
  }
  for (const step of planSteps(scenario)) await actions[step.do]?.(step)
  await session.kill()
  await rm(data, { recursive: true })
}

/** @param processors as taskset(1) takes them; all of them where it is not given */
async function tool(workers, processors) {
  const bin = path.resolve(import.meta.dirname, '../bin/lightning-chaos.js')
  const args = [
    'run',
    SCENARIO,
    '--trials',
    String(TRIALS),
    '--seed',
    'bench',
    '--workers',
    String(workers),
    '--no-save',
  ]
  const started = performance.now()
  const pinned = processors === undefined ? [] : ['taskset', '--cpu-list', processors]
  const [program, ...rest] = [...pinned, process.execPath, bin, ...args]
  const { exitCode } = await execa(program, rest, { reject: false })
  if (exitCode !== 0) throw new Error(`the run exited with ${exitCode}`)
  return performance.now() - started
}

const rounds = []
for (let round = 0; round < ROUNDS; round += 1) {
  rounds.push({
    floor: await floor(),
    one: await tool(1),
    two: await tool(2),
    oneOnOne: await tool(1, '0'),
    twoOnTwo: await tool(2, '0,1'),
  })
}
console.log(`${SCENARIO}, ${TRIALS} trials, ${ROUNDS} rounds, medians`)
for (const name of Object.keys(rounds[0]))
  row(name, `${Math.round(median(rounds.map((round) => round[name])))} ms`)
ratio(
  'trials against the floor, one worker',
  rounds.map(({ one, floor }) => one / floor),
  'at most 1.5',
)
ratio(
  'two workers against one',
  rounds.map(({ one, two }) => one / two),
  'at least 1.7',
)
ratio(
  'two workers on two processors against one on one',
  rounds.map(({ oneOnOne, twoOnTwo }) => oneOnOne / twoOnTwo),
  'at least 1.7',
)
