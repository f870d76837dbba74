-- Reasons of abandonment by minute, hour or day, for tools that sum.
CREATE OR REPLACE VIEW {database}.checkout_abandonment{period_suffix}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
{period_columns}
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `reason` LowCardinality(String) COMMENT 'Why: stated by the customer, else inferred from the last friction or failed step, else unknown.',
    `reason_source` LowCardinality(String) COMMENT 'stated, inferred or unknown.',
    `currency` LowCardinality(String) COMMENT 'ISO 4217 code of value_sum; empty when unknown.',
    `n` Int64 COMMENT 'Abandoned attempts (count).',
    `value_sum` Decimal(18, 4) COMMENT 'Sum of the values of these attempts, in units of currency.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end {of_the_period}: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one reason of checkout abandonment {in_one_period} of one (tenant, touchpoint, channel, device, reason, reason_source, currency). {Periods} do not overlap and have no rows for all: n may be summed, value_sum within one currency.'
AS
SELECT
    tenant, {period_list}, touchpoint, channel, device, reason, reason_source, currency, n, value_sum,
    is_final, revision
FROM {summed reasons};
