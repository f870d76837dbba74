// What customers say: scores with their intervals, reasons, words, and whether somebody answered the unhappy ones.
import {
  NPS_LEVELS, coloured, facts, gauge, lines, link, newest, npsOf, numbers, rows, score, scoreWindow, series, shareInterval, tenant, trend, wilson, SHARE_LEVELS,
} from './lib.mjs'

const followUps = `SELECT submission_id, minIf(time, state = 'contacted') AS contacted, minIf(time, state = 'resolved') AS resolved, countIf(state = 'contacted' OR state = 'resolved') AS touched_n, countIf(state = 'resolved') AS resolved_n
    FROM events_feedback
    WHERE tenant = ${tenant} AND type = 'feedback.follow_up' AND time >= $__fromTime
    GROUP BY submission_id`

const answers = `tenant = ${tenant} AND respondent = 'customer' AND is_counted`

export default {
  uid: 'touchstream-feedback',
  title: 'NPS and feedback',
  description: 'Scores of customers, never of employees, each with its 95 % interval and the number of answers.',
  from: 'now-28d',
  panels: [
    'Net promoter score',
    numbers({
      title: 'NPS now', size: [8, 5], answers: [1], levels: NPS_LEVELS, special: score, names: ['n'],
      description: 'The newest window. Before you look at the value, look at n: with few answers the interval is wide.',
      sql: newest('nps', 'value AS nps, ci_low, ci_high, n', scoreWindow),
    }),
    lines({
      title: 'NPS over time', size: [16, 9], answers: [2], unit: 'none', band: ['ci_low', 'ci_high'], right: 'n', levels: NPS_LEVELS,
      description: 'Rolling windows. Band: 95 % interval. Bars: answers. Two values differ for certain when their bands do not overlap.',
      sql: trend('nps', 'value AS nps, ci_low, ci_high, n', scoreWindow),
    }),
    lines({
      title: 'Promoters, passives, detractors', size: [12, 8], answers: [3], unit: 'short', stack: 'percent',
      description: 'Answers by day of the tenant’s time zone: 9 and 10, 7 and 8, 0 to 6.',
      special: {
        promoters_n: { color: { mode: 'fixed', fixedColor: 'green' } }, passives_n: { color: { mode: 'fixed', fixedColor: 'yellow' } },
        detractors_n: { color: { mode: 'fixed', fixedColor: 'red' } },
      },
      sql: `SELECT toDateTime(day, 'UTC') AS time, sum(detractors_n) AS detractors_n, sum(passives_n) AS passives_n, sum(promoters_n) AS promoters_n
FROM nps_daily
WHERE ${facts()} AND $__dateFilter(day)
GROUP BY day ORDER BY day`,
    }),
    rows({
      title: 'NPS by touchpoint', size: [12, 8], answers: [4], names: ['n'],
      special: { ...score, touchpoint: link('touchstream-journeys', 'Journeys of this touchpoint', { touchpoint: 'touchpoint' }) },
      description: 'The newest window of each touchpoint.',
      sql: newest('nps', 'touchpoint, value AS nps, ci_low, ci_high, n, window_end', scoreWindow, { by: ['touchpoint'] }),
    }),
    'Who answers, and other scores',
    rows({
      title: 'Response rate by channel', size: [12, 7], answers: [5], names: ['answered_ratio', 'shown_n', 'answered_n'], special: { ...shareInterval, answered_ratio: gauge },
      description: 'Surveys answered among those shown, by the time shown; answers may come for 7 days. A score says little of those who do not answer.',
      sql: newest('response_rates', 'channel, ratio AS answered_ratio, ci_low, ci_high, shown_n, answered_n', "'7d'", { by: ['channel'] }),
    }),
    lines({
      title: 'Response rate', size: [12, 7], answers: [5], unit: 'percentunit', min: 0, band: ['ci_low', 'ci_high'], right: 'shown_n',
      description: 'Windows of 7 days. Band: 95 % interval. Bars: surveys shown.',
      sql: trend('response_rates', 'ratio AS answered_ratio, ci_low, ci_high, shown_n', "'7d'"),
    }),
    rows({
      title: 'CSAT by channel', size: [12, 7], answers: [6], names: ['satisfied_ratio', 'n'], special: { ...shareInterval, satisfied_ratio: coloured(SHARE_LEVELS) },
      description: 'Share of satisfied answers (4 and 5 of 5). Answers on different scales are never mixed.',
      sql: newest('csat', 'channel, scale, value AS satisfied_ratio, ci_low, ci_high, n', scoreWindow, { by: ['channel', 'scale'] }),
    }),
    rows({
      title: 'CES by task', size: [12, 7], answers: [7], names: ['easy_ratio', 'n'], special: { ...shareInterval, easy_ratio: coloured(SHARE_LEVELS) },
      description: 'Share of customers who found it easy (5 to 7 of 7), by the touchpoint whose task it was.',
      sql: newest('ces', 'touchpoint, scale, value AS easy_ratio, ci_low, ci_high, n', scoreWindow, { by: ['touchpoint', 'scale'] }),
    }),
    'Why, and what was done',
    rows({
      title: 'Which driver hurts', size: [12, 9], answers: [8], names: ['n', 'costs'], special: { ...score, costs: { unit: 'none', decimals: 1 } },
      description: 'NPS answers in the time range by the reason that they name. costs: points by which the answers of this driver lower the whole score, against an answer that is neutral.',
      sql: `SELECT ifNull(nullIf(driver, ''), '(none named)') AS driver, ${npsOf('countIf(score >= 9)', 'countIf(score <= 6)', 'count()')},
    100 * (countIf(score <= 6) - countIf(score >= 9)) / sum(count()) OVER () AS costs
FROM feedback
WHERE ${answers} AND ${facts(['touchpoint', 'channel', 'device'])} AND metric = 'nps' AND $__timeFilter(time)
GROUP BY driver ORDER BY costs DESC`,
    }),
    rows({
      title: 'Detractors followed up', size: [12, 4], answers: [32], names: ['detractors_n', 'contacted_n', 'resolved_n', 'contacted_ratio', 'median_until_contact_s'], special: { contacted_ratio: gauge },
      description: 'Detractors of the time range, and those whom somebody contacted (feedback.follow_up with the same submission_id).',
      sql: `SELECT count() AS detractors_n, countIf(follow_up.touched_n > 0) AS contacted_n, countIf(follow_up.resolved_n > 0) AS resolved_n, contacted_n / nullIf(detractors_n, 0) AS contacted_ratio,
    quantileExactIf(0.5)(dateDiff('second', answer.time, follow_up.contacted), follow_up.contacted > answer.time) AS median_until_contact_s
FROM (SELECT submission_id, time FROM feedback WHERE ${answers} AND ${facts()} AND metric = 'nps' AND score <= 6 AND $__timeFilter(time)) AS answer
LEFT JOIN (
    ${followUps}
) AS follow_up ON follow_up.submission_id = answer.submission_id`,
    }),
    rows({
      title: 'What customers wrote', size: [12, 9],
      description: 'The newest texts of unhappy customers. Personal data is masked; texts are kept for 90 days unless configured otherwise.',
      special: { text: { 'custom.cellOptions': { type: 'auto', wrapText: true }, 'custom.width': 420 } },
      sql: `SELECT time, touchpoint, channel, metric, score, driver, text
FROM feedback
WHERE ${answers} AND ${facts()} AND text IS NOT NULL AND text != '' AND (metric != 'nps' OR score <= 6) AND $__timeFilter(time)
ORDER BY time DESC LIMIT 100`,
    }),
    rows({
      title: 'Detractors whom nobody has contacted', size: [12, 9], answers: [32], names: ['waiting_s'],
      description: 'The newest of them. Ids are pseudonyms; the sender of the survey knows its submission_id.',
      sql: `SELECT answer.time AS time, answer.touchpoint AS touchpoint, answer.channel AS channel, answer.score AS score, answer.driver AS driver, answer.submission_id AS submission_id, dateDiff('second', answer.time, toDateTime64($__toTime, 3, 'UTC')) AS waiting_s
FROM (SELECT time, touchpoint, channel, score, driver, submission_id FROM feedback WHERE ${answers} AND ${facts()} AND metric = 'nps' AND score <= 6 AND $__timeFilter(time)) AS answer
LEFT JOIN (
    ${followUps}
) AS follow_up ON follow_up.submission_id = answer.submission_id
WHERE follow_up.touched_n = 0
ORDER BY time DESC LIMIT 100`,
    }),
  ],
}
