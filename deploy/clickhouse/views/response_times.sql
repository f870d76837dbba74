-- Response times of service conversations in rolling windows, one row per key and metric.
CREATE OR REPLACE VIEW {database}.response_times{_by}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',{by_columns}
    `metric` LowCardinality(String) COMMENT 'first_response_customer (customer clock), first_response_team (team clock), reply or resolution.',
    `n` Int64 COMMENT 'Answered waits (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p99_s` Nullable(Float64) COMMENT '99th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `slo_s` Nullable(Float64) COMMENT 'Service level of the touchpoint in seconds; NULL where the metric has none, and for all (and other) where touchpoints of the tenant have different ones.',
    `breached_n` Nullable(Int64) COMMENT 'Waits that passed the service level, counted at the deadline, answered later or not (count); NULL where there is none.',
    `waiting_n` Nullable(Int64) COMMENT 'Waiting now (count), in the newest windows; NULL once final.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one response metric of one (tenant, window, window_end, touchpoint, channel, device{by_list}, metric). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device{by_list}, metric,
    durations AS n,
    p50_ms / 1000 AS p50_s,
    p75_ms / 1000 AS p75_s,
    p95_ms / 1000 AS p95_s,
    p99_ms / 1000 AS p99_s,
    slo_ms / 1000 AS slo_s,
    breached AS breached_n,
    if(is_final, NULL, waiting) AS waiting_n,
    is_final, revision
FROM {database}.store_response_windows{_by} FINAL;
