-- October 2026 of one shop, for the cookbook: the same in every run. Facts are drawn from hashes of their number; minutes and windows are summed
-- from the facts by the definitions of docs/metric-definitions.md. Of the windows those are made that end at midnight, and 1h at the full hour.
-- What happened: from the 13th to the 15th the card payment of the app declined; from the 19th on, delivery was late and its NPS fell; support
-- is slow on weekends; on the 22nd a bot test sent broken events.
INSERT INTO cx.store_checkouts (tenant, attempt_id, touchpoint, channel, device, state, started_at, ended_at, last_event_at, customer_id, session_id, checkout_id,
    furthest_step, furthest_step_index, reached_steps, reason, reason_source, value, currency, items, duration_ms, is_deleted, revision)
WITH
    toDateTime64('2026-10-01 00:00:00', 3, 'UTC') + number * 66.9 AS begun,
    ['web', 'web', 'web', 'app', 'app'][1 + sipHash64(number, 'channel') % 5] AS channel,
    if(channel = 'app', 'mobile', ['desktop', 'mobile', 'tablet'][1 + least(sipHash64(number, 'device') % 10, 5) % 3]) AS device,
    channel = 'app' AND begun >= '2026-10-13 08:00:00' AND begun < '2026-10-16 00:00:00' AS declined,
    ['started', 'cart', 'account', 'address', 'shipping', 'payment', 'review', 'completed'] AS steps,
    [150, 120, 90, 40, if(device = 'mobile', 110, 80), if(declined, 420, 60), 25, 1001] AS per_mille,
    toUInt8(arrayFirstIndex((odds, place) -> sipHash64(number, place) % 1000 < odds, per_mille, range(8)) - 1) AS furthest,
    500 * (40 + sipHash64(number, 'duration') % 900) AS duration
SELECT
    'shop', concat('k-', toString(number), '@', toString(toUnixTimestamp64Milli(begun))), 'checkout', channel, device,
    multiIf(furthest = 7 AND sipHash64(number, 'recovered') % 12 = 0, 'recovered', furthest = 7, 'completed', 'abandoned'),
    begun, begun + if(furthest = 7, duration / 1000, 1800 + furthest * 25), begun + furthest * 25,
    concat('c-', toString(sipHash64(number, 'customer') % 15000)), concat('s-', toString(number)), concat('k-', toString(number)),
    steps[1 + furthest], furthest, arraySlice(steps, 1, furthest + 1),
    multiIf(furthest = 7, NULL, furthest = 2, 'account_required', furthest = 4, 'extra_cost', furthest = 5, if(declined, 'card_declined', 'payment_methods'), furthest = 3, 'too_long', 'unknown') AS reason,
    multiIf(furthest = 7, NULL, reason = 'unknown', 'unknown', reason = 'card_declined', 'inferred', 'stated'),
    toDecimal64(15 + sipHash64(number, 'value') % 170, 4), 'EUR', 1 + sipHash64(number, 'items') % 5, if(furthest = 7, duration, NULL), 0, 1
FROM numbers(40000)
SETTINGS max_partitions_per_insert_block = 100;

INSERT INTO cx.store_answers (tenant, submission_id, question, source, id, touchpoint, channel, device, time, survey_id, metric, score, scale_min, scale_max, driver, respondent, text, customer_id, is_counted, is_deleted, revision)
WITH
    toDateTime64('2026-10-01 06:00:00', 3, 'UTC') + number * 440 AS at,
    ['checkout', 'delivery', 'support'][1 + number % 3] AS touchpoint,
    multiIf(touchpoint = 'support', if(number % 4 = 3, 'ces', 'csat'), 'nps') AS metric,
    touchpoint = 'delivery' AND at >= '2026-10-19 00:00:00' AS late,
    sipHash64(number, 'score') % 100 AS draw,
    multiIf(metric = 'csat', multiIf(draw < 12, 1, draw < 20, 2, draw < 33, 3, draw < 65, 4, 5), metric = 'ces', 1 + toInt32(draw % 7), late, multiIf(draw < 45, 3, draw < 70, 7, 9), multiIf(draw < 22, 4, draw < 52, 8, 10)) AS score,
    multiIf(late AND score < 7, 'late delivery', score <= 4, ['price', 'waiting', 'website'][1 + sipHash64(number, 'driver') % 3], NULL) AS driver
SELECT
    'shop', concat('f-', toString(number)), concat(metric, ':0'), 'web', concat('f-', toString(number)), touchpoint, ['web', 'app', 'email'][1 + sipHash64(number, 'channel') % 3], ['desktop', 'mobile'][1 + sipHash64(number, 'device') % 2],
    at, touchpoint, metric, score, multiIf(metric = 'nps', 0, 1), multiIf(metric = 'nps', 10, metric = 'csat', 5, 7), driver, 'customer',
    multiIf(driver = 'late delivery', ['Still waiting for my parcel', 'Two days late, no word from you', 'The date on the page was wrong'][1 + sipHash64(number, 'text') % 3], driver = 'waiting', 'Nobody answered', NULL),
    concat('c-', toString(sipHash64(number, 'customer') % 15000)), 1, 0, 1
FROM numbers(6000);

INSERT INTO cx.store_conversations (tenant, conversation_id, cycle, cycle_id, touchpoint, channel, device, state, started_at, ended_at, last_event_at, initiator, customer_id, topic,
    first_customer_at, first_response_at, first_response_customer_ms, first_response_team_ms, breached_at, resolution_ms, handoffs, is_deleted, revision)
WITH
    toDateTime64('2026-10-01 00:30:00', 3, 'UTC') + number * 330 AS begun, ['chat', 'chat', 'email', 'phone'][1 + sipHash64(number, 'channel') % 4] AS channel,
    toDayOfWeek(begun) >= 6 AS weekend, 500 * toInt64(20 + sipHash64(number, 'wait') % multiIf(weekend, 1900, channel = 'email', 1300, 600)) AS wait,
    sipHash64(number, 'bot') % 100 < 40 AND channel = 'chat' AS bot, bot AND sipHash64(number, 'contained') % 100 < 55 AS contained
SELECT
    'shop', concat('v-', toString(number)), 1, toString(toUnixTimestamp64Milli(begun)), 'support', channel, ['desktop', 'mobile'][1 + sipHash64(number, 'device') % 2],
    'solved', begun, begun + 2400, begun + 2400, 'customer', concat('c-', toString(sipHash64(number, 'customer') % 15000)), ['order status', 'return', 'payment', 'other'][1 + sipHash64(number, 'topic') % 4],
    begun, if(contained, NULL, begun + wait / 1000), if(contained, NULL, wait), if(contained, NULL, wait), if(NOT contained AND wait > 300000, begun + 300, NULL), 2400000, if(bot AND NOT contained, 1, 0), 0, 1
FROM numbers(8000);

-- Minutes of scores; csat and ces with their scale.
INSERT INTO cx.store_score_minutes (tenant, metric, detail, minute, touchpoint, channel, device, answers, top, middle, bottom, revision)
SELECT tenant, metric, if(metric = 'nps', '', concat(toString(assumeNotNull(scale_min)), '-', toString(assumeNotNull(scale_max)))) AS detail, toStartOfMinute(time) AS minute, touchpoint, channel, device, count(),
    countIf(score >= multiIf(metric = 'nps', 9, metric = 'csat', 4, 5)) AS best, countIf(metric = 'nps' AND score IN (7, 8)) AS medium, count() - best - medium, 1
FROM cx.store_answers GROUP BY tenant, metric, detail, minute, touchpoint, channel, device;

-- Surveys shown, one of seven answered; apart from the answers above.
INSERT INTO cx.store_score_minutes (tenant, metric, detail, minute, touchpoint, channel, device, answers, top, middle, bottom, revision)
SELECT 'shop', 'response_rate', '', toDateTime('2026-10-01 00:00:00', 'UTC') + 60 * intDiv(number * 44640, 42000) AS minute, ['checkout', 'delivery', 'support'][1 + number % 3] AS touchpoint, ['web', 'app', 'email'][1 + sipHash64(number, 'c') % 3] AS channel,
    'mobile', count(), countIf(sipHash64(number, 'answered') % 100 < multiIf(channel = 'email', 6, channel = 'app', 21, 15)) AS answered, 0, count() - answered, 1
FROM numbers(42000) GROUP BY minute, touchpoint, channel;

INSERT INTO cx.store_score_windows (tenant, metric, detail, window, window_end, touchpoint, channel, device, answers, top, middle, bottom, is_final, revision)
WITH tupleElement(size, 2) AS seconds, tupleElement(size, 3) AS advance
SELECT tenant, metric, detail, tupleElement(size, 1), toDateTime(intDiv(toUnixTimestamp(minute), advance) * advance + advance * (step + 1), 'UTC') AS at, t, c, d, sum(answers), sum(top), sum(middle), sum(bottom), 1, 2
FROM cx.store_score_minutes
ARRAY JOIN [('1h', 3600, 3600), ('24h', 86400, 86400), ('7d', 604800, 86400), ('28d', 2419200, 86400)] AS size
ARRAY JOIN range(toUInt32(intDiv(seconds, advance))) AS step
ARRAY JOIN [touchpoint, 'all'] AS t ARRAY JOIN [channel, 'all'] AS c ARRAY JOIN [device, 'all'] AS d
WHERE at <= '2026-11-01 00:00:00'
GROUP BY tenant, metric, detail, size, at, t, c, d
SETTINGS max_partitions_per_insert_block = 100;

INSERT INTO cx.store_checkout_minutes (tenant, minute, touchpoint, channel, device, step_names, step_indexes, step_reached, step_dropped, reason_names, reason_sources, reason_currencies, reason_attempts, reason_values, within_3min, within_15min, durations, revision)
SELECT tenant, toStartOfMinute(assumeNotNull(ended_at)) AS minute, touchpoint, channel, device,
    ['started', 'cart', 'account', 'address', 'shipping', 'payment', 'review', 'completed'], range(8),
    sumForEach(arrayMap(step -> toInt64(furthest_step_index >= step), range(8))), sumForEach(arrayMap(step -> toInt64(state = 'abandoned' AND furthest_step_index = step), range(8))),
    groupArrayIf(toString(reason), isNotNull(reason)), groupArrayIf(toString(reason_source), isNotNull(reason)), groupArrayIf(toString(currency), isNotNull(reason)), groupArrayIf(toInt64(1), isNotNull(reason)), groupArrayIf(assumeNotNull(value), isNotNull(reason)),
    countIf(duration_ms <= 180000), countIf(duration_ms <= 900000),
    mapSort(sumMap(if(isNull(duration_ms), CAST(map(), 'Map(Int32, UInt64)'), CAST(map({buckets}[1 + intDiv(assumeNotNull(duration_ms), 500)], 1), 'Map(Int32, UInt64)')))), 1
FROM cx.store_checkouts GROUP BY tenant, minute, touchpoint, channel, device;

INSERT INTO cx.store_checkout_windows (tenant, window, window_end, touchpoint, channel, device, step_names, step_indexes, step_reached, step_dropped, step_open, reason_names, reason_sources, reason_currencies, reason_attempts, reason_values,
    within_3min, within_15min, durations, p50_ms, p75_ms, p95_ms, p99_ms, is_final, revision)
WITH tupleElement(size, 2) AS seconds, tupleElement(size, 3) AS advance, ['account_required', 'card_declined', 'extra_cost', 'payment_methods', 'too_long', 'unknown'] AS reasons
SELECT tenant, tupleElement(size, 1), toDateTime(intDiv(toUnixTimestamp(assumeNotNull(ended_at)), advance) * advance + advance * (step + 1), 'UTC') AS at, touchpoint, c, d,
    ['started', 'cart', 'account', 'address', 'shipping', 'payment', 'review', 'completed'], range(8),
    sumForEach(arrayMap(place -> toInt64(furthest_step_index >= place), range(8))), sumForEach(arrayMap(place -> toInt64(state = 'abandoned' AND furthest_step_index = place), range(8))), arrayMap(place -> NULL, range(8)),
    reasons, ['stated', 'inferred', 'stated', 'stated', 'stated', 'unknown'], arrayMap(name -> 'EUR', reasons), sumForEach(arrayMap(name -> toInt64(ifNull(reason = name, 0)), reasons)), sumForEach(arrayMap(name -> if(ifNull(reason = name, 0), assumeNotNull(value), toDecimal64(0, 4)), reasons)),
    countIf(duration_ms <= 180000), countIf(duration_ms <= 900000), count(duration_ms), quantileExactLow(0.5)(duration_ms), quantileExactLow(0.75)(duration_ms), quantileExactLow(0.95)(duration_ms), quantileExactLow(0.99)(duration_ms), 1, 2
FROM cx.store_checkouts
ARRAY JOIN [('1h', 3600, 3600), ('24h', 86400, 86400), ('7d', 604800, 86400)] AS size
ARRAY JOIN range(toUInt32(intDiv(seconds, advance))) AS step ARRAY JOIN [channel, 'all'] AS c ARRAY JOIN [device, 'all'] AS d
WHERE at <= '2026-11-01 00:00:00'
GROUP BY tenant, size, at, touchpoint, c, d
SETTINGS max_partitions_per_insert_block = 100;

INSERT INTO cx.store_response_minutes (tenant, metric, minute, touchpoint, channel, device, breached, durations, revision)
SELECT tenant, 'first_response_customer', toStartOfMinute(assumeNotNull(first_response_at)) AS minute, touchpoint, channel, device, count(breached_at),
    mapSort(sumMap(CAST(map({buckets}[1 + intDiv(assumeNotNull(first_response_customer_ms), 500)], 1), 'Map(Int32, UInt64)'))), 1
FROM cx.store_conversations WHERE isNotNull(first_response_at) GROUP BY tenant, minute, touchpoint, channel, device;

INSERT INTO cx.store_response_windows (tenant, metric, window, window_end, touchpoint, channel, device, durations, p50_ms, p75_ms, p95_ms, p99_ms, slo_ms, breached, waiting, is_final, revision)
WITH tupleElement(size, 2) AS seconds
SELECT tenant, 'first_response_customer', tupleElement(size, 1), toDateTime(intDiv(toUnixTimestamp(assumeNotNull(first_response_at)), 86400) * 86400 + 86400 * (step + 1), 'UTC') AS at, touchpoint, c, d,
    count(), quantileExactLow(0.5)(first_response_customer_ms), quantileExactLow(0.75)(first_response_customer_ms), quantileExactLow(0.95)(first_response_customer_ms), quantileExactLow(0.99)(first_response_customer_ms), 300000, count(breached_at), NULL, 1, 2
FROM cx.store_conversations ARRAY JOIN [('24h', 86400), ('7d', 604800)] AS size ARRAY JOIN range(toUInt32(intDiv(seconds, 86400))) AS step ARRAY JOIN [channel, 'all'] AS c ARRAY JOIN [device, 'all'] AS d
WHERE isNotNull(first_response_at) AND at <= '2026-11-01 00:00:00' GROUP BY tenant, size, at, touchpoint, c, d;

INSERT INTO cx.store_service_windows (tenant, window, window_end, touchpoint, channel, device, conversations, bot, contained, returned, handoffs, human_requests, human_reached, bot_loops, reasked, reopened, is_final, revision)
SELECT tenant, '7d', toDateTime(intDiv(toUnixTimestamp(assumeNotNull(ended_at)), 86400) * 86400 + 86400 * (step + 1), 'UTC') AS at, touchpoint, c, d, count(),
    countIf(handoffs > 0 OR isNull(first_response_at)), countIf(isNull(first_response_at)), countIf(isNull(first_response_at) AND sipHash64(conversation_id, 'back') % 4 = 0), sum(handoffs), sum(handoffs), countIf(handoffs > 0 AND first_response_customer_ms < 900000), countIf(sipHash64(conversation_id, 'loop') % 40 = 0), countIf(sipHash64(conversation_id, 'reasked') % 15 = 0), countIf(sipHash64(conversation_id, 'reopened') % 20 = 0), 1, 2
FROM cx.store_conversations ARRAY JOIN range(7) AS step ARRAY JOIN [channel, 'all'] AS c ARRAY JOIN [device, 'all'] AS d
WHERE at <= '2026-11-01 00:00:00' GROUP BY tenant, at, touchpoint, c, d;

INSERT INTO cx.store_app_minutes (tenant, name, minute, touchpoint, channel, device, durations, errors, tasks, successes, revision)
WITH toDateTime('2026-10-01 00:00:00', 'UTC') + 60 * intDiv(number * 44640, 90000) AS minute, ['search', 'login', 'pay'][1 + number % 3] AS name, 500 * toInt64(1 + least(sipHash64(number, 'd') % 9, sipHash64(number, 'e') % 9) + if(name = 'pay', 2, 0)) AS ms
SELECT 'shop', name, minute, 'app', 'app', 'mobile', mapSort(sumMap(CAST(map({buckets}[1 + intDiv(ms, 500)], 1), 'Map(Int32, UInt64)'))), countIf(sipHash64(number, 'error') % 1000 < if(name = 'pay' AND minute >= '2026-10-13 08:00:00' AND minute < '2026-10-16 00:00:00', 180, 8)),
    countIf(name = 'login') AS tasks, countIf(name = 'login' AND sipHash64(number, 'task') % 100 < 93), 1
FROM numbers(90000) GROUP BY name, minute;

INSERT INTO cx.store_quality_ingest (tenant, family, minute, instance, code, events, revision)
SELECT 'shop', family, toDateTime('2026-10-01 00:00:00', 'UTC') + 3600 * number AS minute, 'one', code, multiIf(code = 'accepted', 400 + sipHash64(number, family) % 80, minute >= '2026-10-22 09:00:00' AND minute < '2026-10-22 12:00:00', 120, sipHash64(number, family, code) % 3), 1
FROM numbers(744) AS hours CROSS JOIN (SELECT arrayJoin(['checkout', 'feedback']) AS family, arrayJoin(['accepted', 'field_missing']) AS code) AS kinds;

INSERT INTO cx.store_quality_sink (tenant, family, minute, freshness_ms, lag)
SELECT 'shop', family, toDateTime('2026-10-01 00:00:00', 'UTC') + 3600 * number, 300 + sipHash64(number, family) % 300 + if(number = 400, 5000, 0), 0 FROM numbers(744) AS hours CROSS JOIN (SELECT arrayJoin(['checkout', 'feedback']) AS family) AS kinds;

INSERT INTO cx.events_checkout (tenant, source, id, type, time, received_at, customer_id, session_id, touchpoint, channel, device, traffic, checkout_id, step, action, value, currency, _topic, _partition, _offset)
SELECT tenant, 'web', concat(checkout_id, '-', toString(place)), if(place = 0, 'checkout.started', 'checkout.step'), started_at + 25 * place, started_at + 25 * place + 0.3, customer_id, session_id, touchpoint, channel, device,
    if(sipHash64(attempt_id, 'bot') % 60 = 0, 'bot', 'human'), checkout_id, if(place = 0, NULL, step), if(place = 0, NULL, 'viewed'), value, currency, 'cx.checkout', 0, rowNumberInAllBlocks()
FROM cx.store_checkouts ARRAY JOIN reached_steps AS step, range(length(reached_steps)) AS place WHERE step != 'completed'
SETTINGS max_partitions_per_insert_block = 100, max_threads = 1;
