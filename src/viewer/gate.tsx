import type { Page } from '../report/page.js'
import { VERDICTS, VerdictMark } from './verdict.js'

/** The first thing to be seen: whether the gate is met, why not, and how sure the rate is. */
export function GatePanel({ page }: { page: Page }) {
  const { met, line, reasons } = page.gate
  return (
    <div class={`gate ${met ? 'good' : 'bad'}`}>
      <div class="says">
        <p class="subject">{page.facts[0]}</p>
        <h1>
          <VerdictMark verdict={met ? 'passed' : 'failed'} />{' '}
          {met ? 'The gate is met' : 'The gate is not met'}
        </h1>
        {reasons.length === 0 ? (
          <p class="line">{line}</p>
        ) : (
          <ul class="reasons">
            {reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        )}
        <p class="facts">{page.facts.slice(1).join(' · ')}</p>
      </div>
      <Rate page={page} />
    </div>
  )
}

function Rate({ page }: { page: Page }) {
  const { rate, counts, gate } = page
  const numbers = { ...counts, error: counts.errors }
  return (
    <div class="rate">
      {rate !== undefined && (
        <>
          <p class="share">
            <strong>{rate.text.split(' ')[0]}</strong>{' '}
            <span>{rate.text.split(' ')[1]?.slice(1, -1)} passed</span>
          </p>
          <Interval {...rate} target={gate.target} />
          <p class="interval">
            The true rate is {rate.interval}. The gate asks for {Number((gate.target * 100).toFixed(2))}%.
          </p>
        </>
      )}
      <dl class="counts">
        {VERDICTS.filter((verdict) => numbers[verdict] > 0).map((verdict) => (
          <div key={verdict}>
            <dt>
              <VerdictMark verdict={verdict} /> {verdict}
            </dt>
            <dd>{numbers[verdict]}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

/** The rate, the span in which the true one lies, and the tick that the gate asks for, on a line from 0 to 100%. */
function Interval({
  share,
  low,
  high,
  target,
}: {
  share: number
  low: number
  high: number
  target: number
}) {
  const at = (value: number) => `${(value * 100).toFixed(2)}%`
  return (
    <div class="bar" aria-hidden="true">
      <div class="span" style={{ left: at(low), width: at(high - low) }} />
      <div class="target" style={{ left: at(target) }} />
      <div class="point" style={{ left: at(share) }} />
    </div>
  )
}
