-- Time from first event to purchase by minute, hour or day, for tools that sum.
CREATE OR REPLACE VIEW {database}.checkout_duration{period_suffix}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
{period_columns}
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `n` Int64 COMMENT 'Purchases, completed and recovered (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `within_3min_n` Int64 COMMENT 'Purchases that took at most 3 minutes (count).',
    `within_15min_n` Int64 COMMENT 'Purchases that took at most 15 minutes (count).',
    `within_3min_ratio` Nullable(Float64) COMMENT 'within_3min_n / n, 0 to 1; NULL without purchases.',
    `within_15min_ratio` Nullable(Float64) COMMENT 'within_15min_n / n, 0 to 1; NULL without purchases.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end {of_the_period}: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is how long purchases took that were completed {in_one_period} of one (tenant, touchpoint, channel, device). {Periods} do not overlap and have no rows for all: the counts may be summed, percentiles and ratios may not.'
AS
WITH
    -- Value in milliseconds that stands for each log bucket; bucket -1 comes first.
    {bucket_values} AS bucket_values,
    arrayCumSum(mapValues(durations)) AS seen
SELECT
    tenant, {period_list}, touchpoint, channel, device,
    toInt64(arraySum(mapValues(durations))) AS n,
    {percentile(50)} AS p50_s,
    {percentile(75)} AS p75_s,
    {percentile(95)} AS p95_s,
    within_3min AS within_3min_n,
    within_15min AS within_15min_n,
    within_3min / nullIf(n, 0) AS within_3min_ratio,
    within_15min / nullIf(n, 0) AS within_15min_ratio,
    is_final, revision
FROM {summed purchases};
