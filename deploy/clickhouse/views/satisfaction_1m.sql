-- Satisfaction (csat) and effort (ces) by minute, hour or day, for tools that sum.
CREATE OR REPLACE VIEW {database}.{score}{period_suffix}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
{period_columns}
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `scale` LowCardinality(String) COMMENT 'Scale of the answers, as 1-5; answers on different scales are never mixed.',
    `n` Int64 COMMENT 'Answers (count).',
    `satisfied_n` Int64 COMMENT '{satisfied} (count).',
    `value` Nullable(Float64) COMMENT 'satisfied_n / n, 0 to 1; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of value; NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of value; NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end {of_the_period}: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the answers {in_one_period} of one (tenant, touchpoint, channel, device, scale). {Periods} do not overlap and have no rows for all: the counts may be summed, value and interval may not.'
AS
SELECT
    tenant, {period_list}, touchpoint, channel, device,
    detail AS scale,
    answers AS n,
    top AS satisfied_n,
    top / nullIf(answers, 0) AS value,
    {wilson_low(top, answers)} AS ci_low,
    {wilson_high(top, answers)} AS ci_high,
    is_final, revision
FROM {summed scores metric = '{score}'};
