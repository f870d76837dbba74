// What got worse: open regressions with their evidence and owner, and what was decided when.
import { ANY_IS_BAD, facts, lines, link, numbers, rows, tenant } from './lib.mjs'

const here = facts(['touchpoint', 'channel'])
const latest = (columns) => `SELECT ${columns} FROM regressions WHERE ${here} AND at <= $__toTime AND at > $__toTime - INTERVAL 90 DAY ORDER BY at DESC LIMIT 1 BY rule, touchpoint, channel, detail`
const look = {
  touchpoint: link('touchstream-overview', 'Overview of this touchpoint', { touchpoint: 'touchpoint' }),
  severity: { mappings: [{ type: 'value', options: { page: { color: 'red', index: 0 }, ticket: { color: 'orange', index: 1 } } }], 'custom.cellOptions': { type: 'color-text' } },
}
const runbook = { links: [{ title: 'Runbook', url: '${__value.raw}', targetBlank: true }] }

export default {
  uid: 'touchstream-regressions',
  title: 'Regressions',
  description: 'A regression is significant, large enough to matter, on enough samples and seen in two checks. The processor decides; these are its decisions.',
  from: 'now-28d',
  panels: [
    numbers({
      title: 'Open now', size: [6, 5], answers: [31], levels: ANY_IS_BAD,
      description: 'Confirmed and not over, at the end of the time range.',
      sql: `SELECT countIf(state = 'firing' AND severity = 'page') AS page, countIf(state = 'firing' AND severity = 'ticket') AS ticket, countIf(state IN ('too_few_samples', 'ingest_unhealthy')) AS not_judged
FROM (${latest('state, severity')})`,
    }),
    lines({
      title: 'Begun and ended by day', size: [18, 5], unit: 'short', stack: 'normal', label: 'state',
      description: 'Regressions that began and that ended.',
      sql: `SELECT toStartOfDay(at) AS time, toString(state) AS state, count() AS changes
FROM regressions
WHERE ${here} AND state IN ('firing', 'resolved', 'adopted') AND $__timeFilter(at)
GROUP BY time, state ORDER BY time`,
    }),
    rows({
      title: 'Open regressions and their owners', size: [24, 9], answers: [31], names: ['n', 'baseline_n'], special: { ...look, runbook },
      description: 'Value against baseline in the unit of the rule (points, shares, seconds, events), on how many samples, since when, what adds most to it, and what was changed shortly before.',
      sql: `SELECT since, severity, rule, touchpoint, channel, detail, owner, value, baseline, ci_low, ci_high, n, baseline_n, contributor, suspects, runbook
FROM (${latest('*')})
WHERE state = 'firing' ORDER BY severity, since`,
    }),
    rows({
      title: 'What was decided', size: [16, 10], names: ['n'], special: look,
      description: 'Every change of state in the time range.',
      sql: `SELECT at, state, severity, rule, touchpoint, channel, detail, owner, value, baseline, n
FROM regressions
WHERE ${here} AND $__timeFilter(at)
ORDER BY at DESC LIMIT 200`,
    }),
    rows({
      title: 'Cannot be judged now', size: [8, 10], names: ['n'],
      description: 'too_few_samples: the parent is looked at instead. ingest_unhealthy: events were lost, so nothing is said.',
      sql: `SELECT rule, touchpoint, channel, detail, state, n, at AS since
FROM (${latest('rule, touchpoint, channel, detail, state, n, at')})
WHERE state IN ('too_few_samples', 'ingest_unhealthy') ORDER BY rule, touchpoint`,
    }),
    rows({
      title: 'Changes that were announced', size: [12, 8],
      description: 'app.change events of the time range: releases and campaigns, the usual suspects.',
      sql: `SELECT time, name, touchpoint, app_version, campaign
FROM events_app
WHERE tenant = ${tenant} AND type = 'app.change' AND $__timeFilter(time)
ORDER BY time DESC LIMIT 100`,
    }),
    lines({
      title: 'What alerting sees', size: [12, 8], unit: 'short', min: 0, format: undefined,
      description: 'The gauges that Prometheus turns into alerts: 1 while a regression is open.',
      queries: [['max by (rule, touchpoint, channel, severity, owner) (touchstream_cx_regression_active{tenant="$tenant"})', '{{rule}} {{touchpoint}} {{channel}} ({{owner}})']],
    }),
  ],
}
