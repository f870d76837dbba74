-- What the rules need weeks to find, written as the sink writes it: one regression of each rule of the tenant `bakery`, with four weeks of what is usual.
-- Two hours ago payment on phones began to fail, an hour ago support became slow and search failed, 40 minutes ago the app fell silent; NPS fell
-- five days ago; an hour of nothing at all yesterday is over.
INSERT INTO cx.store_checkout_windows (tenant, window, window_end, touchpoint, channel, device, step_names, step_indexes, step_reached, step_dropped, step_open,
    reason_names, reason_sources, reason_currencies, reason_attempts, reason_values, within_3min, within_15min, durations, is_final, revision)
WITH
    toStartOfFiveMinutes(now('UTC')) AS last, tupleElement(size, 1) AS name, tupleElement(size, 2) AS many,
    last - 300 * number AS at, at > last - 7200 AS ill,
    multiIf(device = 'all', 40, device = 'mobile', 25, 15) * many AS n,
    toInt64(round(if(ill AND device != 'desktop', n * if(device = 'all', 0.4, 0.6), n * 0.06))) AS left
SELECT 'bakery', name, at, 'checkout', channel, device, ['started', 'cart', 'payment', 'completed'], [0, 1, 2, 3],
    [n * 2, toInt64(n * 1.5), n, n - left], [n * 2 - toInt64(n * 1.5), toInt64(n * 1.5) - n, left, 0], [NULL, NULL, NULL, NULL], [], [], [], [], [], 0, 0, 0, 1, 2
FROM numbers(8400)
ARRAY JOIN [('5m', 1), ('1h', 12)] AS size
ARRAY JOIN ['all', 'web'] AS channel ARRAY JOIN ['all', 'mobile', 'desktop'] AS device
SETTINGS max_partitions_per_insert_block = 100;

INSERT INTO cx.store_response_minutes (tenant, metric, minute, touchpoint, channel, device, breached, durations, revision)
WITH toStartOfFiveMinutes(now('UTC')) AS last, last - 300 * (number + 1) AS at, at >= last - 3600 AS ill
SELECT 'bakery', 'first_response_customer', at, 'support', 'chat', device, if(ill, 3, 0),
    CAST(if(ill, map(436, 1, 508, 2, 552, 2, 587, 1), map(380, 3, 421, 4, 436, 2, 456, 1)), 'Map(Int32, UInt64)'), 2
FROM numbers(8400) ARRAY JOIN ['mobile', 'desktop'] AS device
SETTINGS max_partitions_per_insert_block = 100;

INSERT INTO cx.store_response_windows (tenant, metric, window, window_end, touchpoint, channel, device, durations, p50_ms, p75_ms, p95_ms, p99_ms, slo_ms, breached, waiting, is_final, revision)
WITH toStartOfFiveMinutes(now('UTC')) AS last, last - 300 * number AS at, least(1, greatest(0, (toUnixTimestamp(at) - toUnixTimestamp(last) + 3600) / 3600)) AS ill
SELECT 'bakery', 'first_response_customer', '1h', at, 'support', 'chat', 'all', 240, 45000 + toInt64(200000 * ill), 60000, 90000 + toInt64(1100000 * ill), 1200000, 300000, toInt64(72 * ill), NULL, 1, 2
FROM numbers(600);

INSERT INTO cx.store_score_windows (tenant, metric, detail, window, window_end, touchpoint, channel, device, answers, top, middle, bottom, is_final, revision)
WITH
    toStartOfHour(now('UTC')) AS last, tupleElement(size, 1) AS name, tupleElement(size, 2) AS many, last - 3600 * number AS at, at > last - 5 * 86400 AS ill,
    least(1, greatest(0, (toUnixTimestamp(at) - toUnixTimestamp(last) + 5 * 86400) / 432000)) AS share,
    toInt64(many * (2 + number % 3)) AS n,
    if(name = '1h', toFloat64(ill), share) AS fallen,
    toInt64(round(n * (0.55 - 0.25 * fallen))) AS best, toInt64(round(n * (0.15 + 0.25 * fallen))) AS worst
SELECT 'bakery', 'nps', '', name, at, 'delivery', 'email', device, n, best, n - best - worst, worst, 1, 2
FROM numbers(900)
ARRAY JOIN [('1h', 4), ('7d', 504)] AS size ARRAY JOIN ['all', 'mobile'] AS device
SETTINGS max_partitions_per_insert_block = 100;

INSERT INTO cx.store_app_windows (tenant, name, window, window_end, touchpoint, channel, device, durations, p50_ms, p95_ms, errors, tasks, successes, is_final, revision)
WITH toStartOfFiveMinutes(now('UTC')) AS last, last - 300 * number AS at, tupleElement(size, 2) AS many, at > last - 3600 AS ill, at > last - 2400 AS silent
SELECT 'bakery', name, tupleElement(size, 1), at, touchpoint, 'app', device, n, 200, 900, toInt64(if(name = 'search' AND ill, n * 0.12, n * 0.005)), 0, 0, 1, 2
FROM numbers(8400)
ARRAY JOIN [('5m', 1), ('1h', 12)] AS size ARRAY JOIN ['home', 'shop'] AS touchpoint ARRAY JOIN ['search', 'list'] AS name ARRAY JOIN ['all', 'mobile', 'desktop'] AS device
ARRAY JOIN [toInt64(many * if(touchpoint = 'home' AND silent, 0, multiIf(device = 'all', 200, device = 'mobile', 120, 80) + cityHash64(at, name) % 20))] AS n
SETTINGS max_partitions_per_insert_block = 100;

INSERT INTO cx.store_quality_processor (tenant, family, minute, touchpoint, channel, device, accepted, late, duplicates, non_human, repeated_transactions, without_attempt, revision)
WITH toStartOfFiveMinutes(now('UTC')) AS last, last - 60 * (number + 1) AS at
SELECT 'bakery', family, at, 'all', 'web', 'mobile', if(at >= last - 90000 AND at < last - 86400, 0, 30 + cityHash64(at) % 10), 0, 0, 0, 0, 0, 2
FROM numbers(42000) ARRAY JOIN ['app', 'checkout', 'chat', 'feedback'] AS family
SETTINGS max_partitions_per_insert_block = 100;

INSERT INTO cx.store_regressions (tenant, rule, touchpoint, channel, detail, at, state, severity, since, value, baseline, ci_low, ci_high, probability, samples, samples_needed,
    baseline_samples, baseline_kind, window_start, window_end, contributor, suspect_times, suspect_names, owner, runbook, revision)
WITH if(told.1 = 'nps_fell', toStartOfHour(now('UTC')), toStartOfFiveMinutes(now('UTC'))) AS last
SELECT 'bakery', told.1, told.2, told.3, told.4, last - told.5, told.6, told.7, last - told.8, told.9, told.10, told.11, told.12, told.13, told.14, 200, told.15, told.16,
    last - told.8, last - told.5, told.17, [last - told.8 - 1200], ['release 5.3.0'], 'team-bakery', told.18, 1
FROM
(
    SELECT arrayJoin([
        ('drop_off_rose', 'checkout', 'all', 'payment', 3600, 'firing', 'page', 7200, 0.44, 0.06, 0.38, 0.46, 1e-9, 300, 5000, 'same_hours_4_weeks', 'device=mobile', 'https://runbooks.bakery.test/payment'),
        ('response_p95_rose', 'support', 'chat', 'first_response_customer', 1500, 'firing', 'page', 3600, 1200., 90., NULL, NULL, 2e-5, 120, 3000, 'same_hours_4_weeks', '', ''),
        ('response_slo_burn', 'support', 'chat', 'first_response_customer', 1500, 'firing', 'ticket', 3600, 0.5, 0.05, 0.4, 0.6, 0., 120, 120, 'service_level', '', ''),
        ('nps_fell', 'delivery', 'email', '', 86400, 'firing', 'ticket', 432000, -10., 40., -18., -2., 3e-6, 400, 5400, 'previous_28_days', '', ''),
        ('error_rate_rose', 'shop', 'app', 'search', 900, 'firing', 'page', 3600, 0.12, 0.005, 0.1, 0.14, 1e-8, 2400, 9000, 'same_hours_4_weeks', 'device=mobile', ''),
        ('touchpoint_silent', 'home', 'app', 'app', 900, 'firing', 'page', 2400, 0., 2500., 0., 0., 1e-20, 0, 2500, 'same_hours_4_weeks', '', ''),
        ('nothing_arrives', 'all', 'all', 'quality', 89000, 'firing', 'page', 90000, 0., 1800., 0., 0., 1e-20, 0, 1800, 'same_hours_4_weeks', '', ''),
        ('nothing_arrives', 'all', 'all', 'quality', 86100, 'resolved', 'page', 90000, 2000., 1800., NULL, NULL, 1., 2000, 1800, 'same_hours_4_weeks', '', '')
    ]) AS told
)
SETTINGS max_partitions_per_insert_block = 100;
-- Of the tenant `quiet` nothing arrives any more, and of events that were lost before a rule says nothing.
INSERT INTO cx.store_quality_processor (tenant, family, minute, touchpoint, channel, device, accepted, late, duplicates, non_human, repeated_transactions, without_attempt, revision)
SELECT 'quiet', 'app', toStartOfMinute(now('UTC')) - 2400, 'all', 'web', 'mobile', 30, 0, 0, 0, 0, 0, 2;

INSERT INTO cx.store_sequences (tenant, source, family, minute, numbered, gaps, missing, counted_at)
SELECT 'quiet', 'web', 'app', toStartOfMinute(now('UTC')) - 2400, 40, 1, 12, now64(3, 'UTC');

INSERT INTO cx.store_regressions (tenant, rule, touchpoint, channel, detail, at, state, severity, since, samples, samples_needed, baseline_samples, baseline_kind, owner, revision)
SELECT 'quiet', told.1, told.2, 'all', told.3, now64(3, 'UTC') - 600, told.4, 'page', if(told.4 = 'firing', now64(3, 'UTC') - 2400, NULL), 0, 0, 0, '', '', 1
FROM (SELECT arrayJoin([('nothing_arrives', 'all', 'quality', 'firing'), ('drop_off_rose', 'checkout', 'payment', 'ingest_unhealthy')]) AS told)
