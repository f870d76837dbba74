-- Where the _by objects read from: the same windows once more for every value of a configured further dimension.
CREATE TABLE IF NOT EXISTS {database}.store_score_windows_by
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `metric` LowCardinality(String) COMMENT 'nps, csat, ces or response_rate.',
    `detail` LowCardinality(String) COMMENT 'What the metric is further split by; the scale of csat and ces, else empty.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension.',
    `dimension_value` LowCardinality(String) COMMENT 'Its value.',
    `answers` Int64 COMMENT 'Answers.',
    `top` Int64 COMMENT 'Promoters, or satisfied.',
    `middle` Int64 COMMENT 'Passives.',
    `bottom` Int64 COMMENT 'Detractors, or not satisfied.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, metric, detail, window, dimension, dimension_value, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of scores. Read the views nps_by, csat_by, ces_by, response_rates_by.';

CREATE TABLE IF NOT EXISTS {database}.store_checkout_windows_by
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension.',
    `dimension_value` LowCardinality(String) COMMENT 'Its value.',
    `step_names` Array(LowCardinality(String)) COMMENT 'Steps of the funnel.',
    `step_indexes` Array(Nullable(Int32)) COMMENT 'Their positions; NULL when one has none.',
    `step_reached` Array(Int64) COMMENT 'Attempts with an outcome that reached each step.',
    `step_dropped` Array(Int64) COMMENT 'Attempts abandoned with each as the furthest step.',
    `step_open` Array(Nullable(Int64)) COMMENT 'Attempts without outcome now at each step; NULL once final.',
    `reason_names` Array(LowCardinality(String)) COMMENT 'Reasons of abandonment.',
    `reason_sources` Array(LowCardinality(String)) COMMENT 'stated, inferred or unknown, for each reason.',
    `reason_currencies` Array(LowCardinality(String)) COMMENT 'ISO 4217 code for each reason; empty when unknown.',
    `reason_attempts` Array(Int64) COMMENT 'Abandoned attempts by reason.',
    `reason_values` Array(Decimal(18, 4)) COMMENT 'Sum of their values, in units of the currency.',
    `within_3min` Int64 COMMENT 'Purchases within 3 minutes.',
    `within_15min` Int64 COMMENT 'Purchases within 15 minutes.',
    `durations` Int64 COMMENT 'Purchases.',
    `p50_ms` Nullable(Int64) COMMENT 'Median in milliseconds.',
    `p75_ms` Nullable(Int64) COMMENT '75th percentile in milliseconds.',
    `p95_ms` Nullable(Int64) COMMENT '95th percentile in milliseconds.',
    `p99_ms` Nullable(Int64) COMMENT '99th percentile in milliseconds.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, window, dimension, dimension_value, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of checkout outcomes. Read the views checkout_funnel_by, checkout_abandonment_by, checkout_duration_by.';

CREATE TABLE IF NOT EXISTS {database}.store_response_windows_by
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `metric` LowCardinality(String) COMMENT 'first_response_customer, first_response_team, reply or resolution.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension.',
    `dimension_value` LowCardinality(String) COMMENT 'Its value.',
    `durations` Int64 COMMENT 'Answered waits.',
    `p50_ms` Nullable(Int64) COMMENT 'Median in milliseconds.',
    `p75_ms` Nullable(Int64) COMMENT '75th percentile in milliseconds.',
    `p95_ms` Nullable(Int64) COMMENT '95th percentile in milliseconds.',
    `p99_ms` Nullable(Int64) COMMENT '99th percentile in milliseconds.',
    `slo_ms` Nullable(Int64) COMMENT 'Service level in milliseconds; NULL where there is none.',
    `breached` Nullable(Int64) COMMENT 'Waits that passed it; NULL where there is none.',
    `waiting` Nullable(Int64) COMMENT 'Waiting now; NULL once final.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, metric, window, dimension, dimension_value, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of response times. Read the view response_times_by.';

CREATE TABLE IF NOT EXISTS {database}.store_app_windows_by
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `name` LowCardinality(String) COMMENT 'Name of the response or task.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension.',
    `dimension_value` LowCardinality(String) COMMENT 'Its value.',
    `durations` Int64 COMMENT 'Responses.',
    `p50_ms` Nullable(Int64) COMMENT 'Median in milliseconds.',
    `p75_ms` Nullable(Int64) COMMENT '75th percentile in milliseconds.',
    `p95_ms` Nullable(Int64) COMMENT '95th percentile in milliseconds.',
    `p99_ms` Nullable(Int64) COMMENT '99th percentile in milliseconds.',
    `errors` Int64 COMMENT 'Responses with status 500 or above.',
    `tasks` Int64 COMMENT 'Tasks.',
    `successes` Int64 COMMENT 'Tasks that succeeded.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, name, window, dimension, dimension_value, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of responses and tasks. Read the view app_response_by.';
