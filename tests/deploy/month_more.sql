-- What dashboards ask beyond October 2026 of `sink/tests/queries/month.sql`, so that no panel is empty: series over all touchpoints, further windows,
-- open conversations and carts, orders, changes, follow-ups. Applied after that file; the same in every run.
INSERT INTO cx.store_checkout_windows SELECT * REPLACE ('all' AS touchpoint) FROM (SELECT * FROM cx.store_checkout_windows WHERE touchpoint = 'checkout');

INSERT INTO cx.store_response_windows SELECT * REPLACE ('all' AS touchpoint) FROM (SELECT * FROM cx.store_response_windows WHERE touchpoint = 'support');

INSERT INTO cx.store_response_windows
SELECT * EXCEPT kind REPLACE (kind AS metric, NULL AS slo_ms, NULL AS breached, NULL AS waiting)
FROM (SELECT *, arrayJoin(['first_response_team', 'reply', 'resolution']) AS kind FROM cx.store_response_windows WHERE metric = 'first_response_customer');

INSERT INTO cx.store_service_windows SELECT * REPLACE ('all' AS touchpoint) FROM (SELECT * FROM cx.store_service_windows WHERE touchpoint = 'support');

INSERT INTO cx.store_service_windows
SELECT * REPLACE ('24h' AS window, intDiv(conversations, 7) AS conversations, intDiv(bot, 7) AS bot, intDiv(contained, 7) AS contained, intDiv(returned, 7) AS returned,
    intDiv(human_requests, 7) AS human_requests, intDiv(human_reached, 7) AS human_reached, intDiv(reopened, 7) AS reopened)
FROM (SELECT * FROM cx.store_service_windows WHERE window = '7d');

INSERT INTO cx.store_app_windows (tenant, name, window, window_end, touchpoint, channel, device, durations, p50_ms, p75_ms, p95_ms, p99_ms, errors, tasks, successes, is_final, revision)
SELECT tenant, name, tupleElement(size, 1), toStartOfDay(minute) + 86400 * (step + 1) AS at, t, c, d, sum(arraySum(mapValues(durations))), 2000, 3000, 5000, 6000, sum(errors), sum(tasks), sum(successes), 1, 2
FROM cx.store_app_minutes
ARRAY JOIN [('24h', 1), ('7d', 7)] AS size ARRAY JOIN range(tupleElement(size, 2)) AS step
ARRAY JOIN [touchpoint, 'all'] AS t ARRAY JOIN [channel, 'all'] AS c ARRAY JOIN [device, 'all'] AS d
WHERE at <= '2026-11-01 00:00:00'
GROUP BY tenant, name, size, at, t, c, d
SETTINGS max_partitions_per_insert_block = 100;

INSERT INTO cx.store_conversations (tenant, conversation_id, cycle, cycle_id, touchpoint, channel, device, state, started_at, last_event_at, initiator, customer_id, case_id, topic, first_customer_at, breached_at, waiting_since, is_deleted, revision)
WITH toDateTime64('2026-10-31 23:59:00', 3, 'UTC') - number * 37 AS begun
SELECT 'shop', concat('w-', toString(number)), 1, toString(toUnixTimestamp64Milli(begun)), 'support', ['chat', 'email'][1 + number % 2], 'mobile', 'open', begun, begun, 'customer', concat('c-', toString(number)),
    concat('case-', toString(intDiv(number, 2))), 'order status', begun, if(number > 8, begun + 300, NULL), begun, 0, 1
FROM numbers(12);

INSERT INTO cx.store_checkouts (tenant, attempt_id, touchpoint, channel, device, state, started_at, last_event_at, customer_id, session_id, checkout_id, furthest_step, furthest_step_index, reached_steps, value, currency, items, is_deleted, revision)
WITH toDateTime64('2026-10-31 23:40:00', 3, 'UTC') + number * 10 AS begun
SELECT 'shop', concat('o-', toString(number)), 'checkout', 'web', 'desktop', 'open', begun, begun, concat('c-', toString(number)), concat('so-', toString(number)), concat('o-', toString(number)), 'cart', 1, ['started', 'cart'], 40 + number, 'EUR', 1, 0, 1
FROM numbers(20);

INSERT INTO cx.events_checkout (tenant, source, id, type, time, received_at, customer_id, session_id, touchpoint, channel, device, traffic, checkout_id, step, action, error, payment_type, _topic, _partition, _offset)
SELECT 'shop', 'web', concat('p-', toString(number)), 'checkout.step', toDateTime64('2026-10-30 08:00:00', 3, 'UTC') + number * 60, toDateTime64('2026-10-30 08:00:01', 3, 'UTC') + number * 60, concat('c-', toString(number)), concat('s-', toString(number)),
    'checkout', 'web', 'desktop', 'human', concat('p-', toString(number)), 'payment', if(number % 9 = 0, 'failed', 'completed'), if(number % 9 = 0, 'declined', NULL), ['card', 'invoice', 'wallet'][1 + number % 3], 'cx.checkout', 1, number
FROM numbers(600);

INSERT INTO cx.events_feedback (tenant, source, id, type, time, received_at, touchpoint, channel, device, traffic, survey_id, submission_id, state, _topic, _partition, _offset)
SELECT 'shop', 'crm', concat('u-', submission_id), 'feedback.follow_up', time + 7200, time + 7201, touchpoint, channel, device, 'human', 'nps', submission_id, if(number % 2 = 0, 'contacted', 'resolved'), 'cx.feedback', 0, number
FROM (SELECT *, rowNumberInAllBlocks() AS number FROM cx.store_answers WHERE metric = 'nps' AND score <= 6 AND sipHash64(submission_id) % 3 = 0 ORDER BY time) SETTINGS max_threads = 1;

INSERT INTO cx.events_app (tenant, source, id, type, time, received_at, customer_id, session_id, touchpoint, channel, device, traffic, name, order_id, state, kind, notice_status, app_version, _topic, _partition, _offset)
WITH toDateTime64('2026-10-25 09:00:00', 3, 'UTC') + number * 3600 AS at
SELECT 'shop', 'web', concat('a-', toString(number), kind_of), kind_of, at + place * 600, at + place * 600 + 0.2, concat('c-', toString(number)), concat('s-', toString(number)), ['home', 'delivery', 'support'][1 + place % 3], 'app', 'mobile', 'human',
    if(kind_of IN ('app.screen_viewed', 'app.change'), 'release 5.2', NULL), if(kind_of IN ('app.order', 'app.notice'), concat('order-', toString(number)), NULL), if(kind_of = 'app.order', 'delayed', NULL), if(kind_of = 'app.notice', 'delay', NULL), if(kind_of = 'app.notice', 'sent', NULL), '5.2', 'cx.app', 0, number * 4 + place
FROM numbers(150) ARRAY JOIN ['app.screen_viewed', 'app.order', 'app.notice', 'app.change'] AS kind_of, [0, 1, 2, 3] AS place
WHERE NOT (kind_of = 'app.notice' AND number % 3 = 0) AND NOT (kind_of = 'app.change' AND number % 50 != 0);

INSERT INTO cx.store_conversations (tenant, conversation_id, cycle, cycle_id, touchpoint, channel, device, state, started_at, ended_at, last_event_at, initiator, customer_id, topic, first_customer_at, is_deleted, revision)
SELECT 'shop', concat('d-', toString(number)), 1, toString(number), 'support', 'chat', 'mobile', 'solved', toDateTime64('2026-10-25 12:00:00', 3, 'UTC') + number * 3600, toDateTime64('2026-10-25 13:00:00', 3, 'UTC') + number * 3600, toDateTime64('2026-10-25 13:00:00', 3, 'UTC') + number * 3600,
    'customer', concat('c-', toString(number)), 'order status', toDateTime64('2026-10-25 12:00:00', 3, 'UTC') + number * 3600, 0, 1
FROM numbers(150) WHERE number % 4 = 0;

INSERT INTO cx.events_chat (tenant, source, id, type, time, received_at, session_id, touchpoint, channel, device, traffic, conversation_id, sender, reasked_field, _topic, _partition, _offset)
SELECT 'shop', 'chat', concat('m-', toString(number)), 'chat.message', toDateTime64('2026-10-28 08:00:00', 3, 'UTC') + number * 60, toDateTime64('2026-10-28 08:00:01', 3, 'UTC') + number * 60, concat('s-', toString(number)), 'support', 'chat', 'mobile', 'human',
    concat('v-', toString(number)), 'agent', if(number % 5 = 0, 'order number', NULL), 'cx.chat', 0, number
FROM numbers(200);

INSERT INTO cx.store_quality_ingest (tenant, family, minute, instance, code, events, revision)
SELECT 'shop', 'checkout', toDateTime('2026-10-31 10:00:00', 'UTC') + 60 * number, 'one', 'time_in_future', 2, 1 FROM numbers(60);

INSERT INTO cx.store_sequences (tenant, source, family, minute, numbered, gaps, missing)
SELECT 'shop', 'web', 'checkout', toDateTime('2026-10-31 10:00:00', 'UTC') + 60 * number, 50, 1, 2 FROM numbers(60);

INSERT INTO cx.store_regressions (tenant, rule, touchpoint, channel, detail, at, state, severity, since, value, baseline, ci_low, ci_high, samples, samples_needed, baseline_samples, baseline_kind, contributor, suspect_times, suspect_names, owner, runbook, revision)
SELECT 'shop', ['drop_off_rose', 'nps_fell', 'response_p95_rose'][1 + number % 3], ['checkout', 'delivery', 'support'][1 + number % 3], 'all', if(number % 3 = 0, 'payment', ''), toDateTime64('2026-10-26 12:00:00', 3, 'UTC') + number * 3600,
    ['firing', 'resolved', 'too_few_samples', 'firing', 'firing', 'too_few_samples'][1 + number], ['page', 'ticket'][1 + number % 2], toDateTime64('2026-10-26 10:00:00', 3, 'UTC'), 0.42, 0.06, 0.38, 0.46, 300, 200, 2000, 'same_hours_4_weeks',
    'device=mobile', [toDateTime64('2026-10-26 09:00:00', 3, 'UTC')], ['release 5.2'], 'checkout team', 'https://wiki.example.com/checkout', 1 FROM numbers(6);
