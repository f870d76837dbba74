-- Where regressions reads from: each change of state of each rule, as the processor told it.
CREATE TABLE IF NOT EXISTS {database}.store_regressions
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `rule` LowCardinality(String) COMMENT 'Rule.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `detail` LowCardinality(String) COMMENT 'Step, name of a response, or silent metric.',
    `at` DateTime64(3, 'UTC') COMMENT 'Time of the check that found the change.' CODEC(Delta, ZSTD(1)),
    `state` LowCardinality(String) COMMENT 'State from then on.',
    `severity` LowCardinality(String) COMMENT 'page or ticket.',
    `since` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the window in which it was first seen.',
    `value` Nullable(Float64) COMMENT 'What was found.',
    `baseline` Nullable(Float64) COMMENT 'What is usual.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % interval of value.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % interval of value.',
    `probability` Nullable(Float64) COMMENT 'How often chance alone shows this much or more.',
    `samples` Int64 COMMENT 'What value rests on.',
    `samples_needed` Int64 COMMENT 'How many are needed.',
    `baseline_samples` Int64 COMMENT 'What baseline rests on.',
    `baseline_kind` LowCardinality(String) COMMENT 'What it is compared with.',
    `window_start` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the window that value was counted in.',
    `window_end` Nullable(DateTime64(3, 'UTC')) COMMENT 'End of it.',
    `contributor` Nullable(String) COMMENT 'The part that adds most.',
    `suspect_times` Array(DateTime64(3, 'UTC')) COMMENT 'When something was changed shortly before.',
    `suspect_names` Array(String) COMMENT 'What was changed.',
    `owner` LowCardinality(String) COMMENT 'Who is told.',
    `runbook` Nullable(String) COMMENT 'Where it says what to do.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(at)
ORDER BY (tenant, rule, touchpoint, channel, detail, at)
COMMENT 'Storage: one row is one revision of one change of state of one rule. Read the view regressions.';
