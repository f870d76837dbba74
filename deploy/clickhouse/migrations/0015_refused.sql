-- Where refused_events reads from: of each count of refused events in store_quality_ingest the newest one.
CREATE TABLE IF NOT EXISTS {database}.store_refused
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `family` LowCardinality(String) COMMENT 'Family, or unknown.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute of receipt.' CODEC(Delta, ZSTD(1)),
    `instance` String COMMENT 'Ingest instance, new at every start.' CODEC(ZSTD(1)),
    `code` LowCardinality(String) COMMENT 'Code of the rejection.',
    `at` DateTime64(3, 'UTC') COMMENT 'When it was received.' CODEC(Delta, ZSTD(1)),
    `source` LowCardinality(String) COMMENT 'Source of its write key.',
    `event_type` LowCardinality(String) COMMENT 'Its type, where it is one of the catalogue.',
    `field` LowCardinality(String) COMMENT 'Field of its first problem, where the catalogue knows it.',
    `events` Int64 COMMENT 'Events of the count.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, minute, family, instance, code)
COMMENT 'Storage: one row is one revision of the newest event that one ingest instance refused within one minute for one reason. Read the view refused_events.';
