// What everybody looks at first: the number of each kind, where it goes, and who is to be asked.
import {
  BREACH_LEVELS, ANY_IS_BAD, DROP_OFF_LEVELS, ERROR_LEVELS, FRESHNESS_LEVELS, NPS_LEVELS, coloured, facts, lines, link, newest, numbers, rows, score, scoreWindow, series,
  tenant, trend, window,
} from './lib.mjs'

export default {
  uid: 'touchstream-overview',
  title: 'Overview',
  description: 'How customers are served now, by touchpoint and owner, and whether the numbers can be trusted.',
  panels: [
    numbers({
      title: 'NPS', size: [8, 4], answers: [1], levels: NPS_LEVELS, special: score, names: ['n'],
      description: 'Net promoter score of the newest window, its 95 % interval and the number of answers. The true value plausibly lies within the interval.',
      sql: newest('nps', 'value AS nps, ci_low, ci_high, n', scoreWindow),
    }),
    numbers({
      title: 'Checkouts abandoned', size: [5, 4], names: ['abandoned_ratio', 'n'], special: { abandoned_ratio: coloured([['green', null], ['yellow', 0.6], ['red', 0.8]]) },
      description: 'Attempts that ended without a purchase among all that ended, in the newest window.',
      sql: `SELECT 1 - sumIf(reached_n, step = 'completed') / nullIf(sumIf(reached_n, step = 'started'), 0) AS abandoned_ratio, sumIf(reached_n, step = 'started') AS n
FROM (${newest('checkout_funnel', 'step, reached_n', window, { by: ['step'] })})`,
    }),
    numbers({
      title: 'First response', size: [6, 4], names: ['p50_s', 'p95_s', 'n'],
      description: 'How long customers waited for the first answer of a person, in the newest window.',
      sql: newest('response_times', 'p50_s, p95_s, n', window, { more: "metric = 'first_response_customer'" }),
    }),
    numbers({
      title: 'Open regressions', size: [5, 4], answers: [31], levels: ANY_IS_BAD,
      description: 'Regressions that are confirmed and not over; see the dashboard Regressions.',
      sql: `SELECT countIf(state = 'firing' AND severity = 'page') AS page, countIf(state = 'firing' AND severity = 'ticket') AS ticket
FROM (SELECT state, severity FROM regressions WHERE ${facts(['touchpoint', 'channel'])} AND at <= $__toTime ORDER BY at DESC LIMIT 1 BY rule, touchpoint, channel, detail)`,
    }),
    lines({
      title: 'NPS with interval', size: [12, 8], answers: [2], unit: 'none', band: ['ci_low', 'ci_high'], right: 'n', levels: NPS_LEVELS,
      description: 'The shaded band is the 95 % interval; the bars are the number of answers.',
      sql: trend('nps', 'value AS nps, ci_low, ci_high, n', scoreWindow),
    }),
    lines({
      title: 'Drop-off by step', size: [12, 8], answers: [9], unit: 'percentunit', min: 0, label: 'step',
      description: 'Share of the attempts that reached a step and were abandoned there.',
      sql: trend('checkout_funnel', 'toString(step) AS step, drop_off_ratio', window, { by: ['step'], more: "step != 'completed'" }),
    }),
    lines({
      title: 'First response', size: [12, 8], answers: [16], unit: 's', min: 0, right: 'n',
      description: 'Waits until the first answer of a person, and the service level.',
      sql: trend('response_times', 'p50_s, p95_s, slo_s, n', window, { more: "metric = 'first_response_customer'" }),
    }),
    lines({
      title: 'Errors of the app', size: [12, 8], unit: 'percentunit', min: 0, label: 'name', levels: ERROR_LEVELS,
      description: 'Share of responses with status 500 or above, by name.',
      sql: trend('app_response', 'toString(name) AS name, error_ratio', window, { by: ['name'] }),
    }),
    rows({
      title: 'Touchpoints and who answers for them', size: [16, 9], answers: [4],
      description: 'NPS of the newest window by touchpoint with owner, stage and importance of the touchpoints file. NULL: not configured, or no answers.',
      names: ['n'], special: { ...score, touchpoint: link('touchstream-feedback', 'Feedback of this touchpoint', { touchpoint: 'touchpoint' }) },
      sql: `SELECT scores.touchpoint AS touchpoint, nullIf(known.owner, '') AS owner, nullIf(known.stage, '') AS stage, known.importance AS importance, nps, ci_low, ci_high, n
FROM (${newest('nps', 'touchpoint, value AS nps, ci_low, ci_high, n', scoreWindow, { by: ['touchpoint'] })}) AS scores
LEFT JOIN (SELECT touchpoint, owner, stage, importance FROM touchpoints WHERE tenant = ${tenant}) AS known ON known.touchpoint = scores.touchpoint
ORDER BY importance DESC, nps`,
    }),
    rows({
      title: 'Can the numbers be trusted?', size: [8, 9], answers: [33], names: ['rejected_ratio', 'freshness_s'],
      description: 'Accepted and rejected events, copies and late ones in the time range, and the longest time from receipt to visible. Rejected events are in no number.',
      special: { rejected_ratio: coloured(ERROR_LEVELS), freshness_s: coloured(FRESHNESS_LEVELS) },
      sql: `SELECT family, sum(accepted_n) AS accepted, sum(rejected_n) AS rejected, sum(rejected_n) / nullIf(sum(accepted_n) + sum(rejected_n), 0) AS rejected_ratio, sum(late_n) AS late, sum(duplicate_n) AS copies, max(freshness_s) AS freshness_s
FROM data_quality
WHERE tenant = ${tenant} AND $__timeFilter(minute)
GROUP BY family ORDER BY family`,
    }),
  ],
}
