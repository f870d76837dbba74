-- Where the view data_quality reads from: what ingest answered, what the processor saw, and what the sink knows.
CREATE TABLE IF NOT EXISTS {database}.store_quality_ingest
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `family` LowCardinality(String) COMMENT 'Family, or unknown.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute of receipt.' CODEC(Delta, ZSTD(1)),
    `instance` String COMMENT 'Ingest instance, new at every start.' CODEC(ZSTD(1)),
    `code` LowCardinality(String) COMMENT 'accepted, duplicate, or the code of the rejection.',
    `events` Int64 COMMENT 'Events.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, family, minute, instance, code)
COMMENT 'Storage: one row is one revision of what one ingest instance answered within one minute. Read the view data_quality.';

CREATE TABLE IF NOT EXISTS {database}.store_quality_processor
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `family` LowCardinality(String) COMMENT 'Family.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute of receipt.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, where counted by it.',
    `channel` LowCardinality(String) COMMENT 'Channel, where counted by it.',
    `device` LowCardinality(String) COMMENT 'Device class, where counted by it.',
    `accepted` Int64 COMMENT 'Events read.',
    `late` Int64 COMMENT 'Events beyond the lateness limit.',
    `duplicates` Int64 COMMENT 'Copies within the duplicate window.',
    `non_human` Int64 COMMENT 'Events with traffic other than human.',
    `repeated_transactions` Int64 COMMENT 'Completions of a transaction already counted.',
    `without_attempt` Int64 COMMENT 'Checkout events that belong to no attempt.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, family, minute, touchpoint, channel, device)
COMMENT 'Storage: one row is one revision of what the processor saw of one family within one minute. Read the view data_quality.';

CREATE TABLE IF NOT EXISTS {database}.store_quality_sink
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `family` LowCardinality(String) COMMENT 'Family.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute of receipt.' CODEC(Delta, ZSTD(1)),
    `freshness_ms` SimpleAggregateFunction(max, Int64) COMMENT 'Longest time from receipt to visible here, in milliseconds.',
    `lag` SimpleAggregateFunction(max, Int64) COMMENT 'Most records of the family that waited for the sink when it wrote this minute.'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, family, minute)
COMMENT 'Storage: one row is what the sink knows of one family within one minute. Read the view data_quality.';
