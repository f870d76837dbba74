// Where purchases are lost, why, to whom, and what it costs.
import { DROP_OFF_LEVELS, coloured, facts, gauge, lines, link, bars, newest, numbers, rows, shareInterval, tenant, touchpoint, trend, wilson, window, series } from './lib.mjs'

const failures = wilson('failed_n', 'n')
const week = (from) => `SELECT step, step_index, drop_off_ratio, ci_low, ci_high, reached_n
    FROM checkout_funnel
    WHERE ${series()} AND window = '7d' AND window_end <= $__toTime - INTERVAL ${from} DAY AND window_end > $__toTime - INTERVAL ${from + 2} DAY
    ORDER BY window_end DESC
    LIMIT 1 BY step`
const shareOf = (condition) => `countIf(${condition})`
const recovered = wilson("countIf(state = 'recovered')", "countIf(state IN ('recovered', 'abandoned'))")

export default {
  uid: 'touchstream-checkout',
  title: 'Checkout funnel',
  description: 'Drop-off by step, reasons, durations and money. A checkout counts when its outcome is known: completed, recovered or abandoned after 30 minutes of silence.',
  panels: [
    'Where',
    bars({
      title: 'How far checkouts come', size: [10, 10], answers: [9], unit: 'short', x: 'step',
      description: 'Attempts of the newest window that reached each step, and those that were abandoned there.',
      sql: `SELECT toString(step) AS step, reached_n, dropped_n FROM (${newest('checkout_funnel', 'step, step_index, reached_n, dropped_n', window, { by: ['step'] })}) ORDER BY step_index`,
    }),
    rows({
      title: 'Drop-off by step', size: [14, 10], answers: [9], names: ['reached_n', 'dropped_n', 'open_n'], special: { ...shareInterval, drop_off_ratio: { unit: 'percentunit', decimals: 1, ...coloured(DROP_OFF_LEVELS) } },
      description: 'Share of the attempts that reached a step and were abandoned there, with its 95 % interval. open_n: attempts without an outcome that are at this step now.',
      sql: `SELECT step, drop_off_ratio, ci_low, ci_high, reached_n, dropped_n, open_n
FROM (${newest('checkout_funnel', 'step, step_index, drop_off_ratio, ci_low, ci_high, reached_n, dropped_n, open_n', window, { by: ['step'] })})
WHERE step != 'completed' ORDER BY step_index`,
    }),
    lines({
      title: 'Drop-off over time', size: [12, 9], answers: [9], unit: 'percentunit', min: 0, label: 'step',
      description: 'Rolling windows, a line a step.',
      sql: trend('checkout_funnel', 'toString(step) AS step, drop_off_ratio', window, { by: ['step'], more: "step != 'completed'" }),
    }),
    rows({
      title: 'Drop-off against last week', size: [12, 9], answers: [10],
      names: ['now_ratio', 'before_ratio', 'now_n', 'before_n'], special: { change: { unit: 'percentunit', decimals: 1, ...coloured([['green', null], ['text', -0.01], ['yellow', 0.01], ['red', 0.05]]) } },
      description: 'The last seven days beside the seven before. certain: the two 95 % intervals do not overlap, so chance does not explain it.',
      sql: `SELECT this_week.step AS step, this_week.drop_off_ratio AS now_ratio, last_week.drop_off_ratio AS before_ratio, now_ratio - before_ratio AS change,
    if(this_week.ci_low > last_week.ci_high OR this_week.ci_high < last_week.ci_low, 'certain', 'may be chance') AS certainty, this_week.reached_n AS now_n, last_week.reached_n AS before_n
FROM (
    ${week(0)}
) AS this_week
JOIN (
    ${week(7)}
) AS last_week ON last_week.step = this_week.step
WHERE this_week.step != 'completed'
ORDER BY this_week.step_index`,
    }),
    'Why and to whom',
    rows({
      title: 'Reasons', size: [12, 8], answers: [11], names: ['n'],
      description: 'Reasons of abandonment in the newest window: stated by the customer, or inferred from the last friction or failed step, else unknown. value: what was in the carts.',
      sql: `SELECT reason, reason_source, n, toFloat64(value_sum) AS value, currency FROM (${newest('checkout_abandonment', 'reason, reason_source, currency, n, value_sum', window, { by: ['reason', 'reason_source', 'currency'] })}) WHERE n > 0 ORDER BY n DESC`,
    }),
    lines({
      title: 'Reasons by day', size: [12, 8], answers: [11], unit: 'short', stack: 'normal', label: 'reason',
      description: 'Abandoned attempts by reason and day of the tenant’s time zone.',
      sql: `SELECT toDateTime(day, 'UTC') AS time, toString(reason) AS reason, sum(n) AS abandoned
FROM checkout_abandonment_daily
WHERE ${facts()} AND $__dateFilter(day)
GROUP BY day, reason ORDER BY day`,
    }),
    rows({
      title: 'Device gap', size: [12, 8], answers: [12], names: ['reached_n', 'dropped_n'], special: { ...shareInterval, drop_off_ratio: { unit: 'percentunit', decimals: 1, ...coloured(DROP_OFF_LEVELS) }, device: link('touchstream-checkout', 'Only this device', { device: 'device' }) },
      description: 'Drop-off of the same step on different devices. Where the intervals overlap, the window is too short to tell.',
      sql: `SELECT step, device, drop_off_ratio, ci_low, ci_high, reached_n, dropped_n
FROM (${newest('checkout_funnel', 'step, step_index, device, drop_off_ratio, ci_low, ci_high, reached_n, dropped_n', window, { by: ['step', 'device'] })})
WHERE step != 'completed' ORDER BY step_index, device`,
    }),
    rows({
      title: 'Payment gap', size: [12, 8], answers: [12], names: ['n', 'failed_n', 'failed_ratio'], special: { ...shareInterval, failed_ratio: { unit: 'percentunit', decimals: 1, ...coloured(DROP_OFF_LEVELS) } },
      description: 'Checkouts of the time range by payment type: those in which the step of this payment failed at least once. From the raw events; empty while senders give no payment_type.',
      sql: `SELECT payment_type, n, failed_n, failed_n / n AS failed_ratio, ${failures.low} AS ci_low, ${failures.high} AS ci_high
FROM (
    SELECT payment_type, uniqExact(attempt) AS n, uniqExactIf(attempt, action = 'failed') AS failed_n
    FROM (SELECT ifNull(payment_type, '') AS payment_type, coalesce(checkout_id, cart_id, order_id, session_id, id) AS attempt, action
        FROM events_checkout WHERE ${facts()} AND traffic = 'human' AND type = 'checkout.step' AND $__timeFilter(time))
    WHERE payment_type != ''
    GROUP BY payment_type
)
ORDER BY n DESC`,
    }),
    'Time and money',
    lines({
      title: 'How long a purchase takes', size: [12, 8], answers: [13], unit: 's', min: 0, right: 'n',
      description: 'From the first event to the purchase: median, 75th and 95th percentile. Bars: purchases.',
      sql: trend('checkout_duration', 'p50_s, p75_s, p95_s, n', window),
    }),
    numbers({
      title: 'Bought quickly', size: [12, 4], answers: [13], names: ['within_3min_ratio', 'within_15min_ratio', 'n'],
      description: 'Share of purchases that took at most 3 and 15 minutes, in the newest window.',
      sql: newest('checkout_duration', 'within_3min_ratio, within_15min_ratio, n', window),
    }),
    rows({
      title: 'Revenue at risk', size: [12, 4], answers: [14], names: ['open_n', 'abandoned_n'],
      description: 'Carts of the time range: still open, and abandoned. Not lost revenue: part of them come back. Currencies are never added up.',
      sql: `SELECT ifNull(currency, '') AS currency, countIf(state = 'open') AS open_n, toFloat64(sumIf(value, state = 'open')) AS open_value, countIf(state = 'abandoned') AS abandoned_n, toFloat64(sumIf(value, state = 'abandoned')) AS abandoned_value
FROM checkouts
WHERE ${facts()} AND $__timeFilter(started_at)
GROUP BY currency ORDER BY abandoned_value DESC`,
    }),
    lines({
      title: 'Value abandoned by day', size: [12, 8], answers: [14], unit: 'short', stack: 'normal', label: 'currency',
      description: 'Value of the carts that were abandoned, by currency and day of the tenant’s time zone.',
      sql: `SELECT toDateTime(day, 'UTC') AS time, toString(currency) AS currency, toFloat64(sum(value_sum)) AS value
FROM checkout_abandonment_daily
WHERE ${facts()} AND $__dateFilter(day)
GROUP BY day, currency ORDER BY day`,
    }),
    lines({
      title: 'Carts that came back', size: [12, 8], answers: [15], unit: 'percentunit', min: 0, band: ['ci_low', 'ci_high'], right: 'recovered_n',
      description: 'Completed after a stated abandonment or a silence of 30 minutes, among all that were abandoned or came back; by the day on which they began.',
      sql: `SELECT toStartOfDay(started_at) AS time, countIf(state = 'recovered') / nullIf(countIf(state IN ('recovered', 'abandoned')), 0) AS recovered_ratio, ${recovered.low} AS ci_low, ${recovered.high} AS ci_high, countIf(state = 'recovered') AS recovered_n
FROM checkouts
WHERE ${facts()} AND state IN ('recovered', 'abandoned') AND $__timeFilter(started_at)
GROUP BY time ORDER BY time`,
    }),
    rows({
      title: 'Abandoned checkouts behind these numbers', size: [24, 9],
      description: 'The most valuable of the time range. Ids are pseudonyms. A drop-off counts at the time of its outcome, ended_at.',
      sql: `SELECT ended_at, touchpoint, channel, device, furthest_step, reason, reason_source, toFloat64(value) AS value, currency, attempt_id, customer_id
FROM checkouts
WHERE ${facts()} AND state = 'abandoned' AND $__timeFilter(ended_at)
ORDER BY value DESC LIMIT 100`,
    }),
  ],
}
