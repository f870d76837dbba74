-- What dashboards ask. Each has a name; the words of the targets stand in brackets.
-- nps: one series, last 24 h by minute [last 24 h by minute]
SELECT window_end, value, ci_low, ci_high, n FROM cx.nps WHERE tenant = 'shop' AND window = '1h' AND touchpoint = 'checkout' AND channel = 'all' AND device = 'all' AND window_end > now() - INTERVAL 24 HOUR ORDER BY window_end
-- nps: every touchpoint, last 24 h by minute [last 24 h by minute]
SELECT window_end, touchpoint, value, n FROM cx.nps WHERE tenant = 'shop' AND window = '1h' AND touchpoint != 'all' AND channel = 'all' AND device = 'all' AND window_end > now() - INTERVAL 24 HOUR ORDER BY window_end
-- funnel: every step, last 24 h by minute [last 24 h by minute]
SELECT window_end, step, drop_off_ratio, reached_n FROM cx.checkout_funnel WHERE tenant = 'shop' AND window = '1h' AND touchpoint = 'checkout' AND channel = 'all' AND device = 'all' AND window_end > now() - INTERVAL 24 HOUR ORDER BY window_end, step_index
-- response times: every metric, last 24 h by minute [last 24 h by minute]
SELECT window_end, metric, p50_s, p95_s FROM cx.response_times WHERE tenant = 'shop' AND window = '1h' AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window_end > now() - INTERVAL 24 HOUR ORDER BY window_end
-- nps: the newest number of every series [last 24 h by minute]
SELECT touchpoint, channel, device, argMax(value, window_end), argMax(n, window_end) FROM cx.nps WHERE tenant = 'shop' AND window = '24h' AND window_end > now() - INTERVAL 2 HOUR GROUP BY touchpoint, channel, device
-- nps: every channel, 7 d by hour, from windows [7 d by hour]
SELECT window_end, channel, value, ci_low, ci_high FROM cx.nps WHERE tenant = 'shop' AND window = '1h' AND touchpoint = 'all' AND device = 'all' AND window_end > now() - INTERVAL 7 DAY AND toMinute(window_end) = 0 ORDER BY window_end
-- funnel: every step, 7 d by hour, from windows [7 d by hour]
SELECT window_end, step, drop_off_ratio FROM cx.checkout_funnel WHERE tenant = 'shop' AND window = '1h' AND touchpoint = 'checkout' AND channel = 'all' AND device = 'all' AND window_end > now() - INTERVAL 7 DAY AND toMinute(window_end) = 0 ORDER BY window_end, step_index
-- nps: one touchpoint, 7 d by hour, summed over channels and devices [7 d by hour]
SELECT hour, sum(promoters_n), sum(detractors_n), sum(n) FROM cx.nps_hourly WHERE tenant = 'shop' AND touchpoint = 'home' AND hour > now() - INTERVAL 7 DAY GROUP BY hour ORDER BY hour
-- funnel: 7 d by hour, summed over channels and devices [7 d by hour]
SELECT hour, step, sum(dropped_n) / sum(reached_n) FROM cx.checkout_funnel_hourly WHERE tenant = 'shop' AND touchpoint = 'checkout' AND hour > now() - INTERVAL 7 DAY GROUP BY hour, step ORDER BY hour
-- nps: one touchpoint, this week against the week before [one touchpoint against the previous week]
SELECT now.window_end AS at, now.value, now.ci_low, now.ci_high, before.value FROM cx.nps AS now LEFT JOIN cx.nps AS before ON before.tenant = 'shop' AND before.window = '1h' AND before.touchpoint = 'support' AND before.channel = 'all' AND before.device = 'all' AND before.window_end > now() - INTERVAL 14 DAY AND before.window_end = now.window_end - INTERVAL 7 DAY WHERE now.tenant = 'shop' AND now.window = '1h' AND now.touchpoint = 'support' AND now.channel = 'all' AND now.device = 'all' AND now.window_end > now() - INTERVAL 7 DAY AND toMinute(now.window_end) = 0 ORDER BY at
-- funnel: the week's drop-off against the week before [one touchpoint against the previous week]
SELECT step, argMax(drop_off_ratio, window_end), argMin(drop_off_ratio, window_end) FROM cx.checkout_funnel WHERE tenant = 'shop' AND window = '7d' AND touchpoint = 'checkout' AND channel = 'all' AND device = 'all' AND window_end > now() - INTERVAL 8 DAY GROUP BY step
-- drill-down: the attempts behind one drop-off number of one hour [drill-down]
SELECT attempt_id, started_at, ended_at, reason, value, customer_id FROM cx.checkouts WHERE tenant = 'shop' AND state = 'abandoned' AND furthest_step = 'payment' AND ended_at >= toStartOfHour(now()) - INTERVAL 49 HOUR AND ended_at < toStartOfHour(now()) - INTERVAL 48 HOUR ORDER BY value DESC LIMIT 100
-- drill-down: how many, by reason, of a day [drill-down]
SELECT reason, count(), sum(value) FROM cx.checkouts WHERE tenant = 'shop' AND state = 'abandoned' AND ended_at >= toStartOfDay(now()) - INTERVAL 3 DAY AND ended_at < toStartOfDay(now()) - INTERVAL 2 DAY GROUP BY reason
-- drill-down: the raw events of one attempt [drill-down]
SELECT time, type, step, action FROM cx.events_checkout WHERE tenant = 'shop' AND checkout_id = (SELECT checkout_id FROM cx.checkouts WHERE tenant = 'shop' AND started_at >= toStartOfHour(now()) - INTERVAL 49 HOUR AND started_at < toStartOfHour(now()) - INTERVAL 48 HOUR ORDER BY started_at LIMIT 1) AND time >= toStartOfHour(now()) - INTERVAL 50 HOUR AND time < toStartOfHour(now()) - INTERVAL 40 HOUR ORDER BY time
-- drill-down: what the detractors of a day said [drill-down]
SELECT time, score, driver, text FROM cx.feedback WHERE tenant = 'shop' AND metric = 'nps' AND score <= 6 AND touchpoint = 'checkout' AND time >= toStartOfDay(now()) - INTERVAL 3 DAY AND time < toStartOfDay(now()) - INTERVAL 2 DAY ORDER BY time DESC LIMIT 100
-- nps: thirty days by day, every touchpoint, summed
SELECT day, touchpoint, sum(promoters_n), sum(detractors_n), sum(n) FROM cx.nps_daily WHERE tenant = 'shop' GROUP BY day, touchpoint ORDER BY day
