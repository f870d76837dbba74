-- Accepted events of the app family. A plain MergeTree: the sink writes each range of offsets once, under a token
-- that the deduplication window remembers.
CREATE TABLE IF NOT EXISTS {database}.events_app
(
    `tenant` LowCardinality(String) COMMENT 'Tenant of the write key.',
    `source` LowCardinality(String) COMMENT 'Source of the write key; an id is unique within (tenant, source).',
    `id` String COMMENT 'Id given by the client, else a UUIDv7 made at ingest.' CODEC(ZSTD(1)),
    `type` LowCardinality(String) COMMENT 'Event type, one of the app.* types.',
    `time` DateTime64(3, 'UTC') COMMENT 'Event time: the client''s time after clock-skew correction, the time that every metric uses.' CODEC(Delta, ZSTD(1)),
    `original_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time as the client sent it; null when it sent none.',
    `sent_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time at which the client says it sent the request.',
    `received_at` DateTime64(3, 'UTC') COMMENT 'Time at which ingest received the request.' CODEC(Delta, ZSTD(1)),
    `customer_id` Nullable(String) COMMENT 'Pseudonym of the customer.' CODEC(ZSTD(1)),
    `anonymous_id` Nullable(String) COMMENT 'Pseudonym of the anonymous visitor.' CODEC(ZSTD(1)),
    `session_id` Nullable(String) COMMENT 'Pseudonym of the session.' CODEC(ZSTD(1)),
    `account_id` Nullable(String) COMMENT 'Pseudonym of the account.' CODEC(ZSTD(1)),
    `seq` Nullable(Int64) COMMENT 'Number of the event within its session, as counted by the client.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, unknown when not sent.',
    `channel` LowCardinality(String) COMMENT 'Channel, unknown when not sent.',
    `device` LowCardinality(String) COMMENT 'Device class, unknown when not sent.',
    `mode` LowCardinality(Nullable(String)) COMMENT 'self, bot or assisted.',
    `persona` LowCardinality(Nullable(String)) COMMENT 'Persona as the site names it.',
    `member` Nullable(Bool) COMMENT 'Whether the customer is a member.',
    `locale` LowCardinality(Nullable(String)) COMMENT 'Locale, for instance de-DE.',
    `app_version` LowCardinality(Nullable(String)) COMMENT 'Version of the site or app.',
    `variant` LowCardinality(Nullable(String)) COMMENT 'Variant of an experiment.',
    `campaign` LowCardinality(Nullable(String)) COMMENT 'Campaign that brought the customer.',
    `referrer` Nullable(String) COMMENT 'Referring page.' CODEC(ZSTD(1)),
    `preferred_channel` LowCardinality(Nullable(String)) COMMENT 'Channel that the customer prefers.',
    `stage` LowCardinality(Nullable(String)) COMMENT 'Journey stage as sent; counts only for unknown touchpoints.',
    `consent` Array(LowCardinality(String)) COMMENT 'Consents given, as sent.',
    `traffic` LowCardinality(String) COMMENT 'human, bot or internal; only human counts in metrics.',
    `extra` Map(LowCardinality(String), String) COMMENT 'Data and context fields that the catalogue does not know, as text.' CODEC(ZSTD(1)),
    `name` LowCardinality(Nullable(String)) COMMENT 'Name of the screen, response, task, interaction or change.',
    `duration_ms` Nullable(Int64) COMMENT 'Duration in milliseconds.',
    `status` Nullable(Int32) COMMENT 'HTTP status (app.response).',
    `result` LowCardinality(Nullable(String)) COMMENT 'success, failure or abandoned (app.task).',
    `code` LowCardinality(Nullable(String)) COMMENT 'Error code (app.error).',
    `fatal` Nullable(Bool) COMMENT 'Whether the error ended the session.',
    `action` LowCardinality(Nullable(String)) COMMENT 'What was done (app.interaction).',
    `order_id` Nullable(String) COMMENT 'Id of the order.' CODEC(ZSTD(1)),
    `state` LowCardinality(Nullable(String)) COMMENT 'State of the order (app.order).',
    `due_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When the order is due.',
    `kind` LowCardinality(Nullable(String)) COMMENT 'Kind of the notice (app.notice).',
    `notice_status` LowCardinality(Nullable(String)) COMMENT 'sent, delivered or opened (app.notice).',
    `compensation` LowCardinality(Nullable(String)) COMMENT 'Compensation given (app.notice).',
    `_topic` LowCardinality(String) COMMENT 'Kafka topic that the event was read from.',
    `_partition` Int32 COMMENT 'Its partition.',
    `_offset` Int64 COMMENT 'Its offset; (_topic, _partition, _offset) occurs once.' CODEC(Delta, ZSTD(1)),
    `_inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the row became visible here.' CODEC(Delta, ZSTD(1)),
    INDEX offsets (`_partition`, `_offset`) TYPE minmax GRANULARITY 1,
    INDEX received (`received_at`) TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, type, time, id)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'One row is one accepted event of the app family (everything else a customer does or meets), without its duplicates, whatever its traffic: human, bot or internal.';
