-- Response times of service conversations by minute, hour or day, for tools that sum.
CREATE OR REPLACE VIEW {database}.response_times{period_suffix}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
{period_columns}
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `metric` LowCardinality(String) COMMENT 'first_response_customer (customer clock), first_response_team (team clock), reply or resolution.',
    `n` Int64 COMMENT 'Answered waits (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p99_s` Nullable(Float64) COMMENT '99th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `slo_s` Nullable(Float64) COMMENT 'Service level of the touchpoint in seconds; NULL where the metric has none.',
    `breached_n` Nullable(Int64) COMMENT 'Waits that passed the service level, counted at the deadline, answered later or not (count); NULL where there is none.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end {of_the_period}: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one response metric {in_one_period} of one (tenant, touchpoint, channel, device, metric), by the time the wait ended. {Periods} do not overlap and have no rows for all: n and breached_n may be summed, percentiles may not.'
AS
WITH
    -- Value in milliseconds that stands for each log bucket; bucket -1 comes first.
    {bucket_values} AS bucket_values,
    arrayCumSum(mapValues(durations)) AS seen
SELECT
    tenant, {period_list}, touchpoint, channel, device, metric,
    toInt64(arraySum(mapValues(durations))) AS n,
    {percentile(50)} AS p50_s,
    {percentile(75)} AS p75_s,
    {percentile(95)} AS p95_s,
    {percentile(99)} AS p99_s,
    if(metric = 'first_response_customer', {slo_of_touchpoint}, NULL) AS slo_s,
    if(metric = 'first_response_customer', breached, NULL) AS breached_n,
    is_final, revision
FROM {summed responses};
