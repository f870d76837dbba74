-- Net promoter score by minute, hour or day, for tools that sum.
CREATE OR REPLACE VIEW {database}.nps{period_suffix}
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
{period_columns}
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `n` Int64 COMMENT 'Answers (count).',
    `promoters_n` Int64 COMMENT 'Answers with score 9 or 10 (count).',
    `passives_n` Int64 COMMENT 'Answers with score 7 or 8 (count).',
    `detractors_n` Int64 COMMENT 'Answers with score 0 to 6 (count).',
    `value` Nullable(Float64) COMMENT 'Net promoter score, -100 to 100: 100 * (promoters_n - detractors_n) / n; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % interval of value (adjusted Wald); NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % interval of value (adjusted Wald); NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end {of_the_period}: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the NPS answers {in_one_period} of one (tenant, touchpoint, channel, device). {Periods} do not overlap and have no rows for all: the counts may be summed, value and interval may not.'
AS
SELECT
    tenant, {period_list}, touchpoint, channel, device, n, promoters_n, passives_n, detractors_n, value, ci_low, ci_high, is_final, revision
FROM
(
    SELECT
        tenant, {period_list}, touchpoint, channel, device, is_final, revision,
        answers AS n,
        top AS promoters_n,
        middle AS passives_n,
        bottom AS detractors_n,
        100 * (top - bottom) / nullIf(answers, 0) AS value,
        -- Adjusted Wald: three quarters of an answer are added to promoters and to detractors, three to all.
        (top + 0.75) / (answers + 3) AS p,
        (bottom + 0.75) / (answers + 3) AS d,
        1.96 * sqrt((p + d - (p - d) * (p - d)) / (answers + 3)) AS half,
        if(answers > 0, greatest(-100., 100 * (p - d - half)), NULL) AS ci_low,
        if(answers > 0, least(100., 100 * (p - d + half)), NULL) AS ci_high
    FROM {summed scores metric = 'nps'}
);
