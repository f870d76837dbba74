-- Drop-off by checkout step by minute, hour or day, for tools that sum.
CREATE OR REPLACE VIEW {database}.checkout_funnel{period_suffix}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
{period_columns}
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
    `is_final` Bool COMMENT 'True once the watermark has passed the end {of_the_period}: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one step of the checkout funnel {in_one_period} of one (tenant, touchpoint, channel, device), by the time of the outcome. {Periods} do not overlap and have no rows for all: the counts may be summed over time, ratios may not.'
AS
SELECT
    tenant, {period_list}, touchpoint, channel, device, step, step_index, reached_n, dropped_n,
    dropped_n / nullIf(reached_n, 0) AS drop_off_ratio,
    {wilson_low(dropped_n, reached_n)} AS ci_low,
    {wilson_high(dropped_n, reached_n)} AS ci_high,
    is_final, revision
FROM {summed steps};
