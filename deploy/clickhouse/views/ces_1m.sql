-- Customer effort: how easy it was by minute, for tools that sum.
CREATE OR REPLACE VIEW {database}.ces_1m
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `scale` LowCardinality(String) COMMENT 'Scale of the answers, as 1-5; answers on different scales are never mixed.',
    `n` Int64 COMMENT 'Answers (count).',
    `satisfied_n` Int64 COMMENT 'Answers in the upper third of the scale, who found it easy: 5 to 7 on 1-7 (count).',
    `value` Nullable(Float64) COMMENT 'satisfied_n / n, 0 to 1; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of value; NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of value; NULL without answers.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the answers of one minute of one (tenant, touchpoint, channel, device, scale). Minutes do not overlap and have no rows for all: the counts may be summed, value and interval may not.'
AS
SELECT
    tenant, minute, touchpoint, channel, device,
    detail AS scale,
    answers AS n,
    top AS satisfied_n,
    top / nullIf(answers, 0) AS value,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    revision
FROM {database}.store_score_minutes FINAL
WHERE metric = 'ces';
