-- Where service_quality, service_quality_by and service_quality_1m read from: every revision, of which the highest counts.
CREATE TABLE IF NOT EXISTS {database}.store_service_windows
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `conversations` Int64 COMMENT 'Conversations that ended or were silent for a day.',
    `bot` Int64 COMMENT 'Of these, those with a message of a bot.',
    `contained` Int64 COMMENT 'Of these, those without a message of an agent and without a handoff.',
    `returned` Int64 COMMENT 'Of these, those whose customer began another conversation within 72 hours.',
    `handoffs` Int64 COMMENT 'Handoffs.',
    `human_requests` Int64 COMMENT 'Handoffs that the customer asked for, with an outcome.',
    `human_reached` Int64 COMMENT 'Of these, those answered by an agent in time.',
    `bot_loops` Int64 COMMENT 'Runs of the same answer of a bot, or of its fallback.',
    `reasked` Int64 COMMENT 'Conversations in which the customer was asked for something again.',
    `reopened` Int64 COMMENT 'Cycles that a reopen began.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, window, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one series of service quality. Read the view service_quality.';

CREATE TABLE IF NOT EXISTS {database}.store_service_windows_by
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension.',
    `dimension_value` LowCardinality(String) COMMENT 'Its value.',
    `conversations` Int64 COMMENT 'Conversations that ended or were silent for a day.',
    `bot` Int64 COMMENT 'Of these, those with a message of a bot.',
    `contained` Int64 COMMENT 'Of these, those without a message of an agent and without a handoff.',
    `returned` Int64 COMMENT 'Of these, those whose customer began another conversation within 72 hours.',
    `handoffs` Int64 COMMENT 'Handoffs.',
    `human_requests` Int64 COMMENT 'Handoffs that the customer asked for, with an outcome.',
    `human_reached` Int64 COMMENT 'Of these, those answered by an agent in time.',
    `bot_loops` Int64 COMMENT 'Runs of the same answer of a bot, or of its fallback.',
    `reasked` Int64 COMMENT 'Conversations in which the customer was asked for something again.',
    `reopened` Int64 COMMENT 'Cycles that a reopen began.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, window, dimension, dimension_value, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of service quality. Read the view service_quality_by.';

CREATE TABLE IF NOT EXISTS {database}.store_service_minutes
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `device` LowCardinality(String) COMMENT 'Device class.',
    `conversations` Int64 COMMENT 'Conversations that ended or were silent for a day.',
    `bot` Int64 COMMENT 'Of these, those with a message of a bot.',
    `contained` Int64 COMMENT 'Of these, those without a message of an agent and without a handoff.',
    `returned` Int64 COMMENT 'Of these, those whose customer began another conversation within 72 hours.',
    `handoffs` Int64 COMMENT 'Handoffs.',
    `human_requests` Int64 COMMENT 'Handoffs that the customer asked for, with an outcome.',
    `human_reached` Int64 COMMENT 'Of these, those answered by an agent in time.',
    `bot_loops` Int64 COMMENT 'Runs of the same answer of a bot, or of its fallback.',
    `reasked` Int64 COMMENT 'Conversations in which the customer was asked for something again.',
    `reopened` Int64 COMMENT 'Cycles that a reopen began.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, touchpoint, channel, device, minute)
COMMENT 'Storage: one row is one revision of one minute of one series of service quality. Read the view service_quality_1m.';
