-- Response rate of surveys in rolling windows, one row per key.
CREATE OR REPLACE VIEW {database}.response_rates{_by}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',{by_columns}
    `shown_n` Int64 COMMENT 'Submissions shown, by the time shown; one shown again within 7 days counts once (count).',
    `answered_n` Int64 COMMENT 'Of these, submissions answered within 7 days after being shown (count).',
    `ratio` Nullable(Float64) COMMENT 'answered_n / shown_n, 0 to 1; NULL when nothing was shown.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the response rate of one (tenant, window, window_end, touchpoint, channel, device{by_list}): of the submissions shown in the window, how many were answered within 7 days; a row changes as answers come. Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device{by_list},
    answers AS shown_n,
    top AS answered_n,
    top / nullIf(answers, 0) AS ratio,
    {wilson_low(top, answers)} AS ci_low,
    {wilson_high(top, answers)} AS ci_high,
    is_final, revision
FROM {database}.store_score_windows{_by} FINAL
WHERE metric = 'response_rate';
