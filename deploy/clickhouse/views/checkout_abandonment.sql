-- Reasons of abandonment in rolling windows, one row per key, reason and currency.
CREATE OR REPLACE VIEW {database}.checkout_abandonment{_by}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',{by_columns}
    `reason` LowCardinality(String) COMMENT 'Why: stated by the customer, else inferred from the last friction or failed step, else unknown.',
    `reason_source` LowCardinality(String) COMMENT 'stated, inferred or unknown.',
    `currency` LowCardinality(String) COMMENT 'ISO 4217 code of value_sum; empty when unknown.',
    `n` Int64 COMMENT 'Abandoned attempts (count).',
    `value_sum` Decimal(18, 4) COMMENT 'Sum of the values of these attempts, in units of currency.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one reason of checkout abandonment of one (tenant, window, window_end, touchpoint, channel, device{by_list}, reason, reason_source, currency). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each. Sums of value over currencies have no meaning.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device{by_list}, reason, reason_source, currency, n, value_sum,
    is_final, revision
FROM {database}.store_checkout_windows{_by} FINAL
ARRAY JOIN
    reason_names AS reason,
    reason_sources AS reason_source,
    reason_currencies AS currency,
    reason_attempts AS n,
    reason_values AS value_sum;
