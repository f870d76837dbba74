-- Response rate of surveys by minute, hour or day, for tools that sum.
CREATE OR REPLACE VIEW {database}.response_rates{period_suffix}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
{period_columns}
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `shown_n` Int64 COMMENT 'Submissions shown, by the time shown; one shown again within 7 days counts once (count).',
    `answered_n` Int64 COMMENT 'Of these, submissions answered within 7 days after being shown (count).',
    `ratio` Nullable(Float64) COMMENT 'answered_n / shown_n, 0 to 1; NULL when nothing was shown.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end {of_the_period}: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the submissions shown {in_one_period} of one (tenant, touchpoint, channel, device). {Periods} do not overlap and have no rows for all: the counts may be summed, ratio and interval may not.'
AS
SELECT
    tenant, {period_list}, touchpoint, channel, device,
    answers AS shown_n,
    top AS answered_n,
    top / nullIf(answers, 0) AS ratio,
    {wilson_low(top, answers)} AS ci_low,
    {wilson_high(top, answers)} AS ci_high,
    is_final, revision
FROM {summed scores metric = 'response_rate'};
