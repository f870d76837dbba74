-- Satisfaction (csat) and effort (ces) in rolling windows, one row per key.
CREATE OR REPLACE VIEW {database}.{score}{_by}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',{by_columns}
    `scale` LowCardinality(String) COMMENT 'Scale of the answers, as 1-5; answers on different scales are never mixed.',
    `n` Int64 COMMENT 'Answers (count).',
    `satisfied_n` Int64 COMMENT '{satisfied} (count).',
    `value` Nullable(Float64) COMMENT 'satisfied_n / n, 0 to 1; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of value; NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of value; NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is {score_name} of one (tenant, window, window_end, touchpoint, channel, device{by_list}, scale). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each. Customers only, employees apart.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device{by_list},
    detail AS scale,
    answers AS n,
    top AS satisfied_n,
    top / nullIf(answers, 0) AS value,
    {wilson_low(top, answers)} AS ci_low,
    {wilson_high(top, answers)} AS ci_high,
    is_final, revision
FROM {database}.store_score_windows{_by} FINAL
WHERE metric = '{score}';
