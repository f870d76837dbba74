-- Where app_response and app_response_1m read from: responses and tasks by name, every revision, of which the highest counts.
CREATE TABLE IF NOT EXISTS {database}.store_app_windows
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `name` LowCardinality(String) COMMENT 'Name of the response or task.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
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
ORDER BY (tenant, name, window, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one series of responses and tasks. Read the view app_response.';

CREATE TABLE IF NOT EXISTS {database}.store_app_minutes
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `name` LowCardinality(String) COMMENT 'Name of the response or task.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `device` LowCardinality(String) COMMENT 'Device class.',
    `durations` Map(Int32, UInt64) COMMENT 'Responses, by log bucket of growth 1.02 over milliseconds, in rising order; bucket -1 holds zero.',
    `errors` Int64 COMMENT 'Responses with status 500 or above.',
    `tasks` Int64 COMMENT 'Tasks.',
    `successes` Int64 COMMENT 'Tasks that succeeded.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, name, touchpoint, channel, device, minute)
COMMENT 'Storage: one row is one revision of one minute of one series of responses and tasks. Read the view app_response_1m.';
