-- Drop-off by checkout step and minute, for tools that sum.
CREATE OR REPLACE VIEW {database}.checkout_funnel_1m
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `step` LowCardinality(String) COMMENT 'Step of the checkout; started is the first, completed the last. A later step implies the earlier configured ones.',
    `step_index` Nullable(Int32) COMMENT 'Position of the step; NULL for a step that has none.',
    `reached_n` Int64 COMMENT 'Attempts with an outcome that reached the step (count).',
    `dropped_n` Int64 COMMENT 'Attempts abandoned with this as the furthest step (count).',
    `drop_off_ratio` Nullable(Float64) COMMENT 'dropped_n / reached_n, 0 to 1; NULL when nobody reached the step.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of drop_off_ratio.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of drop_off_ratio.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one step of the checkout funnel in one minute of one (tenant, touchpoint, channel, device), by the time of the outcome. Minutes do not overlap and have no rows for all: the counts may be summed over time, ratios may not.'
AS
SELECT
    tenant, minute, touchpoint, channel, device, step, step_index, reached_n, dropped_n,
    dropped_n / nullIf(reached_n, 0) AS drop_off_ratio,
    if(reached_n > 0, greatest(0., (dropped_n + 1.9208) / (reached_n + 3.8416) - 1.96 * sqrt(dropped_n * (reached_n - dropped_n) / nullIf(reached_n, 0) + 0.9604) / (reached_n + 3.8416)), NULL) AS ci_low,
    if(reached_n > 0, least(1., (dropped_n + 1.9208) / (reached_n + 3.8416) + 1.96 * sqrt(dropped_n * (reached_n - dropped_n) / nullIf(reached_n, 0) + 0.9604) / (reached_n + 3.8416)), NULL) AS ci_high,
    revision
FROM {database}.store_checkout_minutes FINAL
ARRAY JOIN
    step_names AS step,
    step_indexes AS step_index,
    step_reached AS reached_n,
    step_dropped AS dropped_n;
