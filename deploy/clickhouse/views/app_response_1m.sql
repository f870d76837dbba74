-- Responses and tasks of apps and sites by minute, hour or day, for tools that sum.
CREATE OR REPLACE VIEW {database}.app_response{period_suffix}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
{period_columns}
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
    `is_final` Bool COMMENT 'True once the watermark has passed the end {of_the_period}: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the responses and tasks of one name {in_one_period} of one (tenant, touchpoint, channel, device, name). {Periods} do not overlap and have no rows for all: counts may be summed, ratios and percentiles may not.'
AS
WITH
    -- Value in milliseconds that stands for each log bucket; bucket -1 comes first.
    {bucket_values} AS bucket_values,
    arrayCumSum(mapValues(durations)) AS seen
SELECT
    tenant, {period_list}, touchpoint, channel, device, name,
    toInt64(arraySum(mapValues(durations))) AS n,
    {percentile(50)} AS p50_s,
    {percentile(95)} AS p95_s,
    {percentile(99)} AS p99_s,
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
FROM {summed apps};
