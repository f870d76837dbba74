-- Reasons of abandonment by minute, for tools that sum.
CREATE OR REPLACE VIEW {database}.checkout_abandonment_1m
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `reason` LowCardinality(String) COMMENT 'Why: stated by the customer, else inferred from the last friction or failed step, else unknown.',
    `reason_source` LowCardinality(String) COMMENT 'stated, inferred or unknown.',
    `currency` LowCardinality(String) COMMENT 'ISO 4217 code of value_sum; empty when unknown.',
    `n` Int64 COMMENT 'Abandoned attempts (count).',
    `value_sum` Decimal(18, 4) COMMENT 'Sum of the values of these attempts, in units of currency.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one reason of checkout abandonment in one minute of one (tenant, touchpoint, channel, device, reason, reason_source, currency). Minutes do not overlap and have no rows for all: n may be summed, value_sum within one currency.'
AS
SELECT
    tenant, minute, touchpoint, channel, device, reason, reason_source, currency, n, value_sum,
    revision
FROM {database}.store_checkout_minutes FINAL
ARRAY JOIN
    reason_names AS reason,
    reason_sources AS reason_source,
    reason_currencies AS currency,
    reason_attempts AS n,
    reason_values AS value_sum;
