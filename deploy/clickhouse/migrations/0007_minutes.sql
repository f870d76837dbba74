-- Where the _1m objects read from: every revision of a minute, of which the highest counts. Minutes do not overlap and have no
-- rows for all, so they may be summed.
CREATE TABLE IF NOT EXISTS {database}.store_score_minutes
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `metric` LowCardinality(String) COMMENT 'nps; later others.',
    `detail` LowCardinality(String) COMMENT 'What the metric is further split by; empty for nps.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `device` LowCardinality(String) COMMENT 'Device class.',
    `answers` Int64 COMMENT 'Answers.',
    `top` Int64 COMMENT 'Promoters, or satisfied.',
    `middle` Int64 COMMENT 'Passives.',
    `bottom` Int64 COMMENT 'Detractors, or not satisfied.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, metric, detail, touchpoint, channel, device, minute)
COMMENT 'Storage: one row is one revision of one minute of one series of scores. Read the view nps_1m.';

CREATE TABLE IF NOT EXISTS {database}.store_checkout_minutes
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `device` LowCardinality(String) COMMENT 'Device class.',
    `step_names` Array(LowCardinality(String)) COMMENT 'Steps of the funnel.',
    `step_indexes` Array(Nullable(Int32)) COMMENT 'Their positions; NULL when one has none.',
    `step_reached` Array(Int64) COMMENT 'Attempts with an outcome that reached each step.',
    `step_dropped` Array(Int64) COMMENT 'Attempts abandoned with each as the furthest step.',
    `reason_names` Array(LowCardinality(String)) COMMENT 'Reasons of abandonment.',
    `reason_sources` Array(LowCardinality(String)) COMMENT 'stated, inferred or unknown, for each reason.',
    `reason_currencies` Array(LowCardinality(String)) COMMENT 'ISO 4217 code for each reason; empty when unknown.',
    `reason_attempts` Array(Int64) COMMENT 'Abandoned attempts by reason.',
    `reason_values` Array(Decimal(18, 4)) COMMENT 'Sum of their values, in units of the currency.',
    `within_3min` Int64 COMMENT 'Purchases within 3 minutes.',
    `within_15min` Int64 COMMENT 'Purchases within 15 minutes.',
    `durations` Map(Int32, UInt64) COMMENT 'Purchases, by log bucket of growth 1.02 over milliseconds, in rising order; bucket -1 holds zero.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, touchpoint, channel, device, minute)
COMMENT 'Storage: one row is one revision of one minute of one series of checkout outcomes. Read the views checkout_funnel_1m, checkout_abandonment_1m, checkout_duration_1m.';

CREATE TABLE IF NOT EXISTS {database}.store_response_minutes
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `metric` LowCardinality(String) COMMENT 'first_response_customer, first_response_team, reply or resolution.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `device` LowCardinality(String) COMMENT 'Device class.',
    `breached` Int64 COMMENT 'Waits that passed the service level.',
    `durations` Map(Int32, UInt64) COMMENT 'Answered waits, by log bucket of growth 1.02 over milliseconds, in rising order; bucket -1 holds zero.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, metric, touchpoint, channel, device, minute)
COMMENT 'Storage: one row is one revision of one minute of one series of response times. Read the view response_times_1m.';
