// How long customers wait for people, what bots solve, and who waits now.
import { BREACH_LEVELS, SHARE_LEVELS, coloured, facts, gauge, heat, lines, newest, numbers, rows, shareInterval, tenant, trend, window } from './lib.mjs'

const days = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
const byDay = (what) => days.map((day, place) => `sumIf(${what}, toDayOfWeek(day) = ${place + 1}) AS ${day}`).join(', ')
const shareByDay = days.map((day, place) => `sumIf(breached_n, toDayOfWeek(day) = ${place + 1}) / nullIf(sumIf(n, toDayOfWeek(day) = ${place + 1}), 0) AS ${day}`).join(', ')
const each = (settings) => Object.fromEntries(days.map((day) => [day, settings]))
const first = "metric = 'first_response_customer'"

export default {
  uid: 'touchstream-service',
  title: 'Service times',
  description: 'Service conversations in all channels: waits on the customer’s clock, resolution, bots, handoffs.',
  panels: [
    'Waiting',
    lines({
      title: 'First response against the service level', size: [14, 9], answers: [16], unit: 's', min: 0, right: 'n',
      special: { slo_s: { color: { mode: 'fixed', fixedColor: 'red' }, 'custom.lineStyle': { fill: 'dash', dash: [8, 8] } } },
      description: 'First customer message to first public message of a person: median and 95th percentile; dashed: the service level. Bars: answered waits.',
      sql: trend('response_times', 'p50_s, p95_s, slo_s, n', window, { more: first }),
    }),
    rows({
      title: 'First response by channel', size: [10, 9], answers: [16], names: ['p50_s', 'p95_s', 'slo_s', 'n', 'breached_ratio', 'waiting_n'], special: { breached_ratio: { unit: 'percentunit', decimals: 1, ...coloured(BREACH_LEVELS) } },
      description: 'The newest window. breached_ratio: waits that passed the service level among the answered ones.',
      sql: newest('response_times', 'channel, p50_s, p95_s, slo_s, n, breached_n / nullIf(n, 0) AS breached_ratio, waiting_n', window, { by: ['channel'], more: first }),
    }),
    rows({
      title: 'Who waits now', size: [14, 9], answers: [17], names: ['waited_s'],
      special: { waited_s: coloured([['green', null], ['yellow', 180], ['red', 300]]) },
      description: 'Open conversations whose last customer message is unanswered, at the end of the time range; the longest wait first.',
      sql: `SELECT dateDiff('second', assumeNotNull(waiting_since), toDateTime64($__toTime, 3, 'UTC')) AS waited_s, touchpoint, channel, topic, conversation_id, if(breached_at IS NULL, 'no', 'yes') AS breached
FROM conversations
WHERE ${facts()} AND state = 'open' AND waiting_since IS NOT NULL AND waiting_since <= $__toTime AND started_at > $__toTime - INTERVAL 14 DAY
ORDER BY waiting_since LIMIT 200`,
    }),
    rows({
      title: 'All waits by kind', size: [10, 9], answers: [16, 19], names: ['p50_s', 'p75_s', 'p95_s', 'n'],
      description: 'First response on the customer’s and on the team’s clock, replies, and resolution in the newest window.',
      sql: newest('response_times', 'metric, p50_s, p75_s, p95_s, n', window, { by: ['metric'] }),
    }),
    'Load',
    rows({
      title: 'Load by hour of the week', size: [12, 14], answers: [18], special: each(heat),
      description: 'First responses in the time range by hour and weekday of the tenant’s time zone: when people are needed.',
      sql: `SELECT hour_of_day, ${byDay('n')}
FROM response_times_hourly
WHERE ${facts()} AND ${first} AND $__timeFilter(hour)
GROUP BY hour_of_day ORDER BY hour_of_day`,
    }),
    rows({
      title: 'Breaches by hour of the week', size: [12, 14], answers: [18], special: each({ unit: 'percentunit', decimals: 0, ...coloured(BREACH_LEVELS) }),
      description: 'Share of first responses that passed the service level. Few answers an hour make large shares by chance; the load beside it says how many there were.',
      sql: `SELECT hour_of_day, ${shareByDay}
FROM response_times_hourly
WHERE ${facts()} AND ${first} AND $__timeFilter(hour)
GROUP BY hour_of_day ORDER BY hour_of_day`,
    }),
    'Resolution',
    lines({
      title: 'Time to resolution', size: [12, 8], answers: [19], unit: 's', min: 0, right: 'n',
      description: 'First customer message to solved: median and 95th percentile. Bars: solved.',
      sql: trend('response_times', 'p50_s, p95_s, n', window, { more: "metric = 'resolution'" }),
    }),
    lines({
      title: 'Reopened', size: [12, 8], answers: [19], unit: 'percentunit', min: 0, right: 'conversations_n',
      description: 'Next cycles that began within 7 days of the end, per conversation that ended. Bars: conversations that ended.',
      sql: trend('service_quality', 'reopened_ratio, conversations_n', window),
    }),
    'Bots and people',
    lines({
      title: 'Containment', size: [12, 8], answers: [20], unit: 'percentunit', min: 0, band: ['ci_low', 'ci_high'], right: 'bot_n',
      description: 'Bot conversations that ended without a person; net: and whose customer did not come back within 72 hours (with its 95 % interval). Bars: bot conversations.',
      sql: trend('service_quality', 'containment_ratio AS gross, containment_net_ratio AS net, containment_net_ci_low AS ci_low, containment_net_ci_high AS ci_high, bot_n', window),
    }),
    numbers({
      title: 'Asked for a person in vain', size: [12, 4], answers: [21], names: ['unmet_n', 'human_requests_n', 'reached_ratio'], special: { reached_ratio: { unit: 'percentunit', decimals: 1, ...coloured(SHARE_LEVELS) } },
      description: 'Handoffs that customers asked for and that no person answered within 15 minutes, in the newest window.',
      sql: newest('service_quality', 'human_requests_n - human_reached_n AS unmet_n, human_requests_n, human_reached_ratio AS reached_ratio', window),
    }),
    numbers({
      title: 'Loops and repeated questions', size: [12, 4], answers: [28], names: ['bot_loops_n', 'reasked_n', 'reasked_ratio'],
      description: 'Times that a bot said the same three times running, and conversations in which something was asked again, in the newest window.',
      sql: newest('service_quality', 'bot_loops_n, reasked_n, reasked_ratio', window),
    }),
    rows({
      title: 'Repeat contacts by topic', size: [12, 9], answers: [22], names: ['n', 'repeat_n', 'repeat_ratio'], special: { repeat_ratio: gauge },
      description: 'Conversations of the time range whose customer had begun another on the same topic within the 7 days before. Conversations without a customer cannot be told and are left out.',
      sql: `SELECT topic, count() AS n, countIf(has_before) AS repeat_n, repeat_n / n AS repeat_ratio
FROM (
    SELECT ifNull(topic, '(none)') AS topic, started_at,
        count() OVER (PARTITION BY customer_id, topic ORDER BY toUnixTimestamp(started_at) RANGE BETWEEN 604800 PRECEDING AND CURRENT ROW) > 1 AS has_before
    FROM conversations
    WHERE ${facts()} AND cycle = 1 AND customer_id IS NOT NULL AND started_at >= $__fromTime - INTERVAL 7 DAY AND started_at <= $__toTime
)
WHERE started_at >= $__fromTime
GROUP BY topic ORDER BY n DESC LIMIT 50`,
    }),
    rows({
      title: 'Self-service success', size: [12, 9], answers: [23], names: ['success_ratio', 'tasks_n'], special: { success_ratio: { unit: 'percentunit', decimals: 1, ...coloured(SHARE_LEVELS) }, ...shareInterval },
      description: 'Tasks that customers did by themselves and that succeeded, in the newest window (app.task by name), with the 95 % interval.',
      sql: `SELECT name, success_ratio, ci_low, ci_high, tasks_n FROM (${newest('app_response', 'name, success_ratio, success_ci_low AS ci_low, success_ci_high AS ci_high, tasks_n', window, { by: ['name'] })}) WHERE tasks_n > 0 ORDER BY success_ratio`,
    }),
  ],
}
