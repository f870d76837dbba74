-- Responses and tasks of apps and sites by minute.
CREATE OR REPLACE VIEW {database}.app_response_1m
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
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
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the responses and tasks of one name in one minute of one (tenant, touchpoint, channel, device, name). Minutes do not overlap and have no rows for all: counts may be summed, ratios and percentiles may not.'
AS
WITH
    -- Value in milliseconds that stands for each log bucket; bucket -1 comes first.
    {bucket_values} AS bucket_values,
    arrayCumSum(mapValues(durations)) AS seen
SELECT
    tenant, minute, touchpoint, channel, device, name,
    toInt64(arraySum(mapValues(durations))) AS n,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 50 + 99, 100), seen)] + 2] / 1000, NULL) AS p50_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 95 + 99, 100), seen)] + 2] / 1000, NULL) AS p95_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 99 + 99, 100), seen)] + 2] / 1000, NULL) AS p99_s,
    errors AS errors_n,
    errors / nullIf(n, 0) AS error_ratio,
    if(n > 0, greatest(0., (errors + 1.9208) / (n + 3.8416) - 1.96 * sqrt(errors * (n - errors) / nullIf(n, 0) + 0.9604) / (n + 3.8416)), NULL) AS error_ci_low,
    if(n > 0, least(1., (errors + 1.9208) / (n + 3.8416) + 1.96 * sqrt(errors * (n - errors) / nullIf(n, 0) + 0.9604) / (n + 3.8416)), NULL) AS error_ci_high,
    tasks AS tasks_n,
    successes AS successes_n,
    successes / nullIf(tasks, 0) AS success_ratio,
    if(tasks > 0, greatest(0., (successes + 1.9208) / (tasks + 3.8416) - 1.96 * sqrt(successes * (tasks - successes) / nullIf(tasks, 0) + 0.9604) / (tasks + 3.8416)), NULL) AS success_ci_low,
    if(tasks > 0, least(1., (successes + 1.9208) / (tasks + 3.8416) + 1.96 * sqrt(successes * (tasks - successes) / nullIf(tasks, 0) + 0.9604) / (tasks + 3.8416)), NULL) AS success_ci_high,
    revision
FROM {database}.store_app_minutes FINAL;
