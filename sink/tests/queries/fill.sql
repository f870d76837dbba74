-- Thirty simulated days for the benchmark of queries: windows and minutes in 300 series, facts, and ten million raw events, made straight in SQL.
-- Reproducible but for its end, which is the last full hour, because retention counts from today. One tenant, `shop`.
-- Scores: all, checkout, support and home by all and four channels by all and four device classes: 100 series of NPS; 50 of CSAT.
INSERT INTO cx.store_score_windows (tenant, metric, detail, window, window_end, touchpoint, channel, device, answers, top, middle, bottom, is_final, revision)
WITH
    toStartOfHour(now('UTC')) AS last, tupleElement(size, 1) AS name, tupleElement(size, 2) AS advance, tupleElement(size, 3) AS scale,
    last - advance * number AS at, cityHash64(touchpoint, channel, device) AS series, toInt64(1 + scale * (8 + series % 40) / 10) AS n,
    toInt64(n * (40 + sipHash64(series, at) % 20) / 100) AS best, toInt64(n * (15 + sipHash64(at, series) % 15) / 100) AS worst
SELECT
    'shop', metric, if(metric = 'nps', '', '1-5'), name, at, touchpoint, channel, device, n, best, if(metric = 'nps', n - best - worst, 0), if(metric = 'nps', worst, n - best),
    1, bitShiftLeft(1, 48) + 2 * number + 1
FROM numbers(43200) AS moments
ARRAY JOIN [('5m', 60, 1), ('1h', 60, 12), ('24h', 900, 280), ('7d', 3600, 2000), ('28d', 86400, 8000), ('90d', 86400, 24000)] AS size
CROSS JOIN (SELECT arrayJoin(['nps', 'csat']) AS metric, arrayJoin(['all', 'checkout', 'support', 'home']) AS touchpoint, arrayJoin(['all', 'web', 'app', 'chat', 'store']) AS channel, arrayJoin(['all', 'mobile', 'desktop', 'tablet', 'kiosk']) AS device) AS keys
WHERE number * tupleElement(size, 2) < 2592000 AND (metric = 'nps' OR touchpoint IN ('all', 'support'))
SETTINGS max_partitions_per_insert_block = 1000;

-- Checkout outcomes: all and checkout, 50 series, with seven steps and five reasons each.
INSERT INTO cx.store_checkout_windows (tenant, window, window_end, touchpoint, channel, device, step_names, step_indexes, step_reached, step_dropped, step_open,
    reason_names, reason_sources, reason_currencies, reason_attempts, reason_values, within_3min, within_15min, durations, p50_ms, p75_ms, p95_ms, p99_ms, is_final, revision)
WITH
    toStartOfHour(now('UTC')) AS last, tupleElement(size, 1) AS name, tupleElement(size, 2) AS advance, tupleElement(size, 3) AS scale,
    last - advance * number AS at, cityHash64(touchpoint, channel, device) AS series, toInt64(10 + scale * (8 + series % 40)) AS n,
    arrayMap(step -> toInt64(n * (100 - 9 * step - sipHash64(series, at) % 5) / 100), range(8)) AS reached
SELECT
    'shop', name, at, touchpoint, channel, device,
    ['started', 'cart', 'account', 'address', 'shipping', 'payment', 'review', 'completed'], [0, 1, 2, 3, 4, 5, 6, 7], reached,
    arrayMap((now, next) -> now - next, reached, arrayPushBack(arrayPopFront(reached), reached[8])), arrayMap(step -> NULL, range(8)),
    ['extra_cost', 'account_required', 'payment_methods', 'card_declined', 'unknown'], ['stated', 'stated', 'stated', 'inferred', 'unknown'], ['EUR', 'EUR', 'EUR', 'EUR', 'EUR'],
    arrayMap(share -> intDiv(n * share, 100), [20, 10, 5, 8, 12]), arrayMap(share -> toDecimal64(intDiv(n * share, 2), 4), [20, 10, 5, 8, 12]),
    intDiv(n, 8), intDiv(n, 4), reached[8], 95000 + series % 9000, 180000 + series % 9000, 600000 + series % 9000, 1200000, 1, bitShiftLeft(1, 48) + 2 * number + 1
FROM numbers(43200) AS moments
ARRAY JOIN [('5m', 60, 1), ('1h', 60, 12), ('24h', 900, 280), ('7d', 3600, 2000)] AS size
CROSS JOIN (SELECT arrayJoin(['all', 'checkout']) AS touchpoint, arrayJoin(['all', 'web', 'app', 'chat', 'store']) AS channel, arrayJoin(['all', 'mobile', 'desktop', 'tablet', 'kiosk']) AS device) AS keys
WHERE number * tupleElement(size, 2) < 2592000
SETTINGS max_partitions_per_insert_block = 1000;

-- Response times: support, four metrics by 25, 100 series.
INSERT INTO cx.store_response_windows (tenant, metric, window, window_end, touchpoint, channel, device, durations, p50_ms, p75_ms, p95_ms, p99_ms, slo_ms, breached, waiting, is_final, revision)
WITH
    toStartOfHour(now('UTC')) AS last, tupleElement(size, 1) AS name, tupleElement(size, 2) AS advance, tupleElement(size, 3) AS scale,
    last - advance * number AS at, cityHash64(channel, device, metric) AS series, sipHash64(series, at) AS noise, toInt64(1 + scale * (3 + series % 20) / 4) AS n
SELECT
    'shop', metric, name, at, 'all', channel, device, n, 60000 + noise % 30000, 120000 + noise % 60000, 400000 + noise % 90000, 900000 + noise % 90000,
    if(metric = 'first_response_customer', 300000, NULL), if(metric = 'first_response_customer', intDiv(n, 12), NULL), NULL, 1, bitShiftLeft(1, 48) + 2 * number + 1
FROM numbers(43200) AS moments
ARRAY JOIN [('5m', 60, 1), ('1h', 60, 12), ('24h', 900, 280), ('7d', 3600, 2000)] AS size
CROSS JOIN (SELECT arrayJoin(['first_response_customer', 'first_response_team', 'reply', 'resolution']) AS metric, arrayJoin(['all', 'web', 'app', 'chat', 'store']) AS channel, arrayJoin(['all', 'mobile', 'desktop', 'tablet', 'kiosk']) AS device) AS keys
WHERE number * tupleElement(size, 2) < 2592000
SETTINGS max_partitions_per_insert_block = 1000;

-- Minutes of the series without all: NPS in 48, checkouts in 16.
INSERT INTO cx.store_score_minutes (tenant, metric, detail, minute, touchpoint, channel, device, answers, top, middle, bottom, revision)
WITH toStartOfHour(now('UTC')) - 60 * (number + 1) AS at, sipHash64(touchpoint, channel, device, at) AS noise, toInt64(1 + noise % 5) AS n, toInt64(intDiv(n, 2)) AS best
SELECT 'shop', 'nps', '', at, touchpoint, channel, device, n, best, n - best - intDiv(n, 4), intDiv(n, 4), bitShiftLeft(1, 48) + 2 * number
FROM numbers(43200) AS moments
CROSS JOIN (SELECT arrayJoin(['checkout', 'support', 'home']) AS touchpoint, arrayJoin(['web', 'app', 'chat', 'store']) AS channel, arrayJoin(['mobile', 'desktop', 'tablet', 'kiosk']) AS device) AS keys;

INSERT INTO cx.store_checkout_minutes (tenant, minute, touchpoint, channel, device, step_names, step_indexes, step_reached, step_dropped,
    reason_names, reason_sources, reason_currencies, reason_attempts, reason_values, within_3min, within_15min, durations, revision)
WITH toStartOfHour(now('UTC')) - 60 * (number + 1) AS at, sipHash64(channel, device, at) AS noise, toInt64(8 + noise % 9) AS n
SELECT 'shop', at, 'checkout', channel, device,
    ['started', 'cart', 'account', 'address', 'shipping', 'payment', 'review', 'completed'], [0, 1, 2, 3, 4, 5, 6, 7], arrayMap(step -> n - step, range(8)), arrayMap(step -> toInt64(step < 7), range(8)),
    ['extra_cost', 'unknown'], ['stated', 'unknown'], ['EUR', 'EUR'], [3, 4], [toDecimal64(90, 4), toDecimal64(120, 4)], 1, n - 7,
    CAST(map(560 + noise % 60, n - 7), 'Map(Int32, UInt64)'), bitShiftLeft(1, 48) + 2 * number
FROM numbers(43200) AS moments
CROSS JOIN (SELECT arrayJoin(['web', 'app', 'chat', 'store']) AS channel, arrayJoin(['mobile', 'desktop', 'tablet', 'kiosk']) AS device) AS keys;

-- A million attempts; every tenth has an earlier revision that was open.
INSERT INTO cx.store_checkouts (tenant, attempt_id, touchpoint, channel, device, state, started_at, ended_at, last_event_at, customer_id, session_id, checkout_id,
    furthest_step, furthest_step_index, reached_steps, reason, reason_source, value, currency, items, duration_ms, is_deleted, revision)
WITH
    sipHash64(number) AS noise, noise % 100 < 60 AS abandoned, toDateTime64(toStartOfHour(now('UTC')) - INTERVAL 30 DAY, 3, 'UTC') + (number * 2.592) AS begun,
    toUInt8(noise % 7) AS furthest, ['started', 'cart', 'account', 'address', 'shipping', 'payment', 'review', 'completed'] AS steps
SELECT
    'shop', concat('k-', hex(noise), '@', toString(toUnixTimestamp64Milli(begun))), 'checkout', ['web', 'app', 'chat', 'store'][1 + noise % 4], ['mobile', 'desktop', 'tablet', 'kiosk'][1 + intDiv(noise, 8) % 4],
    multiIf(old = 1, 'open', abandoned, 'abandoned', 'completed'), begun, if(old = 1, NULL, begun + 1800 + noise % 900), begun + noise % 900, hex(sipHash64(noise)), hex(sipHash64(noise, 1)), concat('k-', hex(noise)),
    if(abandoned, steps[1 + furthest], 'completed'), if(abandoned, furthest, 7), arraySlice(steps, 1, if(abandoned, furthest, 7) + 1), if(abandoned, 'extra_cost', NULL), if(abandoned, 'stated', NULL),
    toDecimal64(20 + noise % 200, 4), 'EUR', 1 + noise % 5, if(abandoned, NULL, 120000 + noise % 400000), 0, bitShiftLeft(1, 48) + 2 * number + 1 - old
FROM numbers(1000000) ARRAY JOIN if(number % 10 = 0, [0, 1], [0]) AS old
SETTINGS max_partitions_per_insert_block = 1000;

-- A hundred thousand answers.
INSERT INTO cx.store_answers (tenant, submission_id, question, source, id, touchpoint, channel, device, time, metric, score, driver, respondent, text, customer_id, is_counted, is_deleted, revision)
WITH sipHash64(number) AS noise
SELECT 'shop', hex(noise), 'nps:0', 'web', hex(noise), ['checkout', 'support', 'home'][1 + noise % 3], ['web', 'app', 'chat', 'store'][1 + noise % 4], ['mobile', 'desktop'][1 + noise % 2],
    toDateTime64(toStartOfHour(now('UTC')) - INTERVAL 30 DAY, 3, 'UTC') + number * 25.92, 'nps', noise % 11, 'price', 'customer', 'it took too long', hex(sipHash64(noise, 2)), 1, 0, bitShiftLeft(1, 48) + 2 * number
FROM numbers(100000)
SETTINGS max_partitions_per_insert_block = 1000;

-- Ten million raw events: seven of checkouts, of the attempts above; three of apps.
INSERT INTO cx.events_checkout (tenant, source, id, type, time, received_at, customer_id, session_id, touchpoint, channel, device, traffic, checkout_id, step, step_index, action, value, currency, _topic, _partition, _offset)
WITH intDiv(number, 7) AS attempt, number % 7 AS place, sipHash64(attempt) AS noise, toDateTime64(toStartOfHour(now('UTC')) - INTERVAL 30 DAY, 3, 'UTC') + (attempt * 2.592) + place * 60 AS at
SELECT 'shop', 'web', concat('e-', toString(number)), if(place = 0, 'checkout.started', 'checkout.step'), at, at + 0.2, hex(sipHash64(noise)), hex(sipHash64(noise, 1)), 'checkout',
    ['web', 'app', 'chat', 'store'][1 + noise % 4], ['mobile', 'desktop', 'tablet', 'kiosk'][1 + intDiv(noise, 8) % 4], if(noise % 50 = 0, 'bot', 'human'), concat('k-', hex(noise)),
    if(place = 0, NULL, ['cart', 'account', 'address', 'shipping', 'payment', 'review'][place]), place, 'viewed', toDecimal64(20 + noise % 200, 4), 'EUR', 'cx.checkout', number % 2, number
FROM numbers(7000000)
SETTINGS max_partitions_per_insert_block = 1000;

INSERT INTO cx.events_app (tenant, source, id, type, time, received_at, session_id, touchpoint, channel, device, traffic, name, duration_ms, status, _topic, _partition, _offset)
WITH sipHash64(number) AS noise, toDateTime64(toStartOfHour(now('UTC')) - INTERVAL 30 DAY, 3, 'UTC') + (number * 0.864) AS at
SELECT 'shop', 'web', concat('a-', toString(number)), 'app.response', at, at + 0.2, hex(sipHash64(noise % 500000)), ['home', 'search', 'checkout'][1 + noise % 3], ['web', 'app'][1 + noise % 2], ['mobile', 'desktop'][1 + noise % 2],
    'human', ['search', 'login', 'pay', 'list'][1 + noise % 4], 50 + noise % 900, if(noise % 200 = 0, 500, 200), 'cx.app', number % 2, number
FROM numbers(3000000)
SETTINGS max_partitions_per_insert_block = 1000;
