-- Drop-off by checkout step in rolling windows, one row per key and step.
CREATE OR REPLACE VIEW {database}.checkout_funnel{_by}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',{by_columns}
    `step` LowCardinality(String) COMMENT 'Step of the checkout; started is the first, completed the last. A later step implies the earlier configured ones.',
    `step_index` Nullable(Int32) COMMENT 'Position of the step; NULL for a step that has none.',
    `reached_n` Int64 COMMENT 'Attempts with an outcome that reached the step (count).',
    `dropped_n` Int64 COMMENT 'Attempts abandoned with this as the furthest step (count).',
    `open_n` Nullable(Int64) COMMENT 'Attempts without outcome now at this step (count), in the newest windows; NULL once final.',
    `drop_off_ratio` Nullable(Float64) COMMENT 'dropped_n / reached_n, 0 to 1; NULL when nobody reached the step.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of drop_off_ratio.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of drop_off_ratio.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one step of the checkout funnel of one (tenant, window, window_end, touchpoint, channel, device{by_list}): of the attempts that had their outcome in the window, how many reached the step and how many ended there. Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device{by_list}, step, step_index, reached_n, dropped_n,
    if(is_final, NULL, open_now) AS open_n,
    dropped_n / nullIf(reached_n, 0) AS drop_off_ratio,
    {wilson_low(dropped_n, reached_n)} AS ci_low,
    {wilson_high(dropped_n, reached_n)} AS ci_high,
    is_final, revision
FROM {database}.store_checkout_windows{_by} FINAL
ARRAY JOIN
    step_names AS step,
    step_indexes AS step_index,
    step_reached AS reached_n,
    step_dropped AS dropped_n,
    step_open AS open_now;
