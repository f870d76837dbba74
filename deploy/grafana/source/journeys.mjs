// Across touchpoints: the matrix, who goes where, what is not watched, and what bad moments lead to.
import { BREACH_LEVELS, DROP_OFF_LEVELS, ERROR_LEVELS, NPS_LEVELS, coloured, facts, gauge, link, newest, numbers, rows, score, scoreWindow, shareInterval, tenant, textbox, wilson, window } from './lib.mjs'

const families = ['events_app', 'events_checkout', 'events_chat', 'events_feedback']
const everyEvent = (columns, more = '') => families.map((table) => `SELECT ${columns} FROM ${table} WHERE tenant = ${tenant} AND traffic = 'human' AND $__timeFilter(time)${more}`).join('\n        UNION ALL ')
const gone = wilson('gone_n', 'n')
const scoresByTouchpoint = newest('nps', 'touchpoint, value, ci_low, ci_high, n', scoreWindow, { by: ['touchpoint'] })
const by = (view, columns, size, more = '') => newest(view, `touchpoint, ${columns}`, size, { by: ['touchpoint'], more })

export default {
  uid: 'touchstream-journeys',
  title: 'Journeys and touchpoints',
  description: 'How touchpoints hang together. Until the journey views are there, these panels compute from facts and raw events of the time range.',
  variables: [textbox('benchmark', 'NPS benchmark', 'A number of your own to compare with, as 35; empty: none')],
  panels: [
    rows({
      title: 'Journey matrix', size: [24, 10], answers: [24], names: ['p95_s'],
      special: {
        nps: coloured(NPS_LEVELS), ci_low: score.ci_low, ci_high: score.ci_high, n: { unit: 'short', decimals: 0 }, drop_off_ratio: { unit: 'percentunit', decimals: 1, ...coloured([['green', null], ['yellow', 0.6], ['red', 0.8]]) },
        error_ratio: { unit: 'percentunit', decimals: 2, ...coloured(ERROR_LEVELS) }, touchpoint: link('touchstream-overview', 'Overview of this touchpoint', { touchpoint: 'touchpoint' }),
      },
      description: 'Every touchpoint that is configured or counted, by stage: NPS with interval and n, abandoned checkouts, first response, errors; the newest windows. Empty: not measured there.',
      sql: `SELECT min(matrix.stage) AS stage, matrix.touchpoint AS touchpoint, min(matrix.owner) AS owner, max(matrix.importance) AS importance, max(matrix.nps) AS nps, max(matrix.low) AS ci_low, max(matrix.high) AS ci_high, max(matrix.answers) AS n,
    max(matrix.abandoned) AS drop_off_ratio, max(matrix.p95) AS p95_s, max(matrix.errors) AS error_ratio
FROM (
    SELECT touchpoint, stage, owner, toNullable(importance) AS importance, CAST(NULL, 'Nullable(Float64)') AS nps, CAST(NULL, 'Nullable(Float64)') AS low, CAST(NULL, 'Nullable(Float64)') AS high, CAST(NULL, 'Nullable(Int64)') AS answers, CAST(NULL, 'Nullable(Float64)') AS abandoned, CAST(NULL, 'Nullable(Float64)') AS p95, CAST(NULL, 'Nullable(Float64)') AS errors
    FROM touchpoints WHERE tenant = ${tenant}
    UNION ALL SELECT touchpoint, NULL, NULL, NULL, value, ci_low, ci_high, n, NULL, NULL, NULL FROM (${scoresByTouchpoint})
    UNION ALL SELECT touchpoint, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1 - sumIf(reached_n, step = 'completed') / nullIf(sumIf(reached_n, step = 'started'), 0), NULL, NULL FROM (${newest('checkout_funnel', 'touchpoint, step, reached_n', window, { by: ['touchpoint', 'step'] })}) GROUP BY touchpoint
    UNION ALL SELECT touchpoint, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, p95_s, NULL FROM (${by('response_times', 'p95_s', window, "metric = 'first_response_customer'")})
    UNION ALL SELECT touchpoint, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, sum(errors_n) / nullIf(sum(n), 0) FROM (${newest('app_response', 'touchpoint, name, errors_n, n', window, { by: ['touchpoint', 'name'] })}) GROUP BY touchpoint
) AS matrix
GROUP BY matrix.touchpoint
ORDER BY stage, importance DESC, touchpoint`,
    }),
    rows({
      title: 'Transitions', size: [12, 10], answers: [25], names: ['sessions_n', 'share'], special: { share: gauge },
      description: 'From which touchpoint customers went to which within a session of the time range; share: of all transitions from there. From raw events: choose a short range on large tenants.',
      sql: `SELECT from_touchpoint, to_touchpoint, count() AS transitions_n, uniqExact(session_id) AS sessions_n, transitions_n / sum(transitions_n) OVER (PARTITION BY from_touchpoint) AS share
FROM (
    SELECT session_id, toString(touchpoint) AS from_touchpoint, leadInFrame(toString(touchpoint)) OVER (PARTITION BY session_id ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS to_touchpoint
    FROM (
        ${everyEvent('session_id, time, touchpoint', ' AND session_id IS NOT NULL')}
    )
)
WHERE to_touchpoint != '' AND to_touchpoint != from_touchpoint
GROUP BY from_touchpoint, to_touchpoint ORDER BY transitions_n DESC LIMIT 100`,
    }),
    rows({
      title: 'Touchpoints that nobody watches', size: [12, 10], answers: [26], names: ['events_n'],
      description: 'Touchpoints with events in the time range that the touchpoints file does not list or that have no owner, and listed ones without any event.',
      sql: `SELECT touchpoint, multiIf(max(listed) = 0, 'not in the touchpoints file', max(owned) = 0, 'has no owner', 'sends no events') AS why, sum(events) AS events_n
FROM (
    SELECT toString(touchpoint) AS touchpoint, count() AS events, 0 AS listed, 0 AS owned
    FROM (
        ${everyEvent('touchpoint')}
    ) GROUP BY touchpoint
    UNION ALL SELECT touchpoint, 0, 1, toUInt8(owner IS NOT NULL) FROM touchpoints WHERE tenant = ${tenant}
)
GROUP BY touchpoint HAVING max(listed) = 0 OR max(owned) = 0 OR events_n = 0
ORDER BY events_n DESC LIMIT 100`,
    }),
    rows({
      title: 'Delays told before customers asked', size: [12, 5], answers: [27], names: ['delayed_n', 'told_n', 'told_first_n', 'asked_n', 'told_first_ratio'], special: { told_first_ratio: gauge },
      description: 'Orders delayed in the time range (app.order): told by a notice (app.notice), told before the customer began a conversation within 7 days, and customers who asked.',
      sql: `SELECT count() AS delayed_n, countIf(told_at > epoch) AS told_n, countIf(told_at > epoch AND (asked_at = epoch OR told_at < asked_at)) AS told_first_n, countIf(asked_at > epoch) AS asked_n, told_first_n / nullIf(delayed_n, 0) AS told_first_ratio
FROM (
    SELECT delayed.order_id AS order_id, toDateTime64(0, 3, 'UTC') AS epoch, min(notice.told) AS told_at, minIf(contact.started_at, contact.started_at >= delayed.at AND contact.started_at < delayed.at + INTERVAL 7 DAY) AS asked_at
    FROM (
        SELECT order_id, min(time) AS at, any(customer_id) AS customer_id FROM events_app
        WHERE ${facts(['channel'])} AND type = 'app.order' AND state = 'delayed' AND $__timeFilter(time) GROUP BY order_id
    ) AS delayed
    LEFT JOIN (SELECT order_id, min(time) AS told FROM events_app WHERE tenant = ${tenant} AND type = 'app.notice' AND order_id IS NOT NULL AND time >= $__fromTime GROUP BY order_id) AS notice ON notice.order_id = delayed.order_id
    LEFT JOIN (SELECT customer_id, started_at FROM conversations WHERE tenant = ${tenant} AND customer_id IS NOT NULL AND started_at >= $__fromTime) AS contact ON contact.customer_id = delayed.customer_id
    GROUP BY order_id, delayed.at
)`,
    }),
    rows({
      title: 'Channel switches and repeated questions', size: [12, 5], answers: [28], names: ['cases_n', 'switched_n', 'switched_ratio', 'reasked_n'], special: { switched_ratio: gauge },
      description: 'Cases of the time range (case_id, else the conversation) with conversations in more than one channel, and conversations in which something was asked again.',
      sql: `SELECT count() AS cases_n, countIf(channels > 1) AS switched_n, switched_n / nullIf(cases_n, 0) AS switched_ratio,
    (SELECT uniqExact(conversation_id) FROM events_chat WHERE ${facts()} AND traffic = 'human' AND reasked_field IS NOT NULL AND $__timeFilter(time)) AS reasked_n
FROM (
    SELECT ifNull(case_id, conversation_id) AS the_case, uniqExact(channel) AS channels
    FROM conversations WHERE ${facts(['touchpoint', 'device'])} AND $__timeFilter(started_at)
    GROUP BY the_case
)`,
    }),
    rows({
      title: 'Churn after a negative moment', size: [12, 6], answers: [29], names: ['n', 'gone_n', 'gone_ratio'], special: { gone_ratio: { unit: 'percentunit', decimals: 1 }, ...shareInterval },
      description: 'Customers who answered the NPS question 28 to 56 days before the end of the time range: those without a purchase in the 28 days after. What matters is the gap between the rows; it is no proof of a cause.',
      sql: `SELECT mood, n, gone_n, gone_n / nullIf(n, 0) AS gone_ratio, ${gone.low} AS ci_low, ${gone.high} AS ci_high
FROM (
    SELECT multiIf(answer.worst <= 6, 'detractor', answer.worst <= 8, 'passive', 'promoter') AS mood, count() AS n, countIf(NOT arrayExists(at -> at > answer.at AND at < answer.at + INTERVAL 28 DAY, purchase.times)) AS gone_n
    FROM (
        SELECT customer_id, min(score) AS worst, argMin(time, score) AS at FROM feedback
        WHERE ${facts()} AND metric = 'nps' AND respondent = 'customer' AND is_counted AND customer_id IS NOT NULL AND time >= $__toTime - INTERVAL 56 DAY AND time <= $__toTime - INTERVAL 28 DAY
        GROUP BY customer_id
    ) AS answer
    LEFT JOIN (
        SELECT customer_id, groupArray(assumeNotNull(ended_at)) AS times FROM checkouts
        WHERE tenant = ${tenant} AND state IN ('completed', 'recovered') AND customer_id IS NOT NULL AND started_at >= $__toTime - INTERVAL 56 DAY AND started_at <= $__toTime
        GROUP BY customer_id
    ) AS purchase ON purchase.customer_id = answer.customer_id
    GROUP BY mood
)
ORDER BY gone_ratio DESC`,
    }),
    rows({
      title: 'Benchmark gap', size: [12, 6], answers: [30], names: ['n', 'benchmark', 'gap'], special: { ...score, gap: coloured([['red', null], ['yellow', -5], ['green', 0]]) },
      description: 'NPS of the newest windows less the number in the field “NPS benchmark” above. There are no benchmarks in the data: the number is yours.',
      sql: `SELECT touchpoint, value AS nps, ci_low, ci_high, n, toFloat64OrNull(\${benchmark:singlequote}) AS benchmark, nps - benchmark AS gap
FROM (${scoresByTouchpoint})
ORDER BY gap, nps`,
    }),
  ],
}
