-- Time from first event to purchase in rolling windows, one row per key.
CREATE OR REPLACE VIEW {database}.checkout_duration{_by}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',{by_columns}
    `n` Int64 COMMENT 'Purchases, completed and recovered (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `within_3min_n` Int64 COMMENT 'Purchases that took at most 3 minutes (count).',
    `within_15min_n` Int64 COMMENT 'Purchases that took at most 15 minutes (count).',
    `within_3min_ratio` Nullable(Float64) COMMENT 'within_3min_n / n, 0 to 1; NULL without purchases.',
    `within_15min_ratio` Nullable(Float64) COMMENT 'within_15min_n / n, 0 to 1; NULL without purchases.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is how long purchases took, of one (tenant, window, window_end, touchpoint, channel, device{by_list}). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device{by_list},
    durations AS n,
    p50_ms / 1000 AS p50_s,
    p75_ms / 1000 AS p75_s,
    p95_ms / 1000 AS p95_s,
    within_3min AS within_3min_n,
    within_15min AS within_15min_n,
    within_3min / nullIf(n, 0) AS within_3min_ratio,
    within_15min / nullIf(n, 0) AS within_15min_ratio,
    is_final, revision
FROM {database}.store_checkout_windows{_by} FINAL;
