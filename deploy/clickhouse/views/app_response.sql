-- Responses and tasks of apps and sites in rolling windows, one row per key.
CREATE OR REPLACE VIEW {database}.app_response{_by}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',{by_columns}
    `name` LowCardinality(String) COMMENT 'Name of the response or task, as sent.',
    `n` Int64 COMMENT 'Responses (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `p99_s` Nullable(Float64) COMMENT '99th percentile of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `errors_n` Int64 COMMENT 'Responses with status 500 or above (count).',
    `error_ratio` Nullable(Float64) COMMENT 'errors_n / n, 0 to 1; NULL without responses.',
    `error_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of error_ratio; NULL without responses.',
    `error_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of error_ratio; NULL without responses.',
    `tasks_n` Int64 COMMENT 'Tasks, whatever their result (count).',
    `successes_n` Int64 COMMENT 'Tasks with result success (count).',
    `success_ratio` Nullable(Float64) COMMENT 'successes_n / tasks_n, 0 to 1; NULL without tasks.',
    `success_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of success_ratio; NULL without tasks.',
    `success_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of success_ratio; NULL without tasks.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the responses and tasks of one name of one (tenant, window, window_end, touchpoint, channel, device{by_list}, name). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device{by_list}, name,
    durations AS n,
    p50_ms / 1000 AS p50_s,
    p95_ms / 1000 AS p95_s,
    p99_ms / 1000 AS p99_s,
    errors AS errors_n,
    errors / nullIf(n, 0) AS error_ratio,
    {wilson_low(errors, n)} AS error_ci_low,
    {wilson_high(errors, n)} AS error_ci_high,
    tasks AS tasks_n,
    successes AS successes_n,
    successes / nullIf(tasks, 0) AS success_ratio,
    {wilson_low(successes, tasks)} AS success_ci_low,
    {wilson_high(successes, tasks)} AS success_ci_high,
    is_final, revision
FROM {database}.store_app_windows{_by} FINAL;
