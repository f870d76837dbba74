-- What got worse, and when it was over: every change of state of every rule.
CREATE OR REPLACE VIEW {database}.regressions
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `rule` LowCardinality(String) COMMENT 'nps_fell, drop_off_rose, response_p95_rose, response_slo_burn, touchpoint_silent, error_rate_rose, or nothing_arrives (of the tenant at all).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint that the rule looks at.',
    `channel` LowCardinality(String) COMMENT 'Channel that the rule looks at; all for every channel together.',
    `detail` LowCardinality(String) COMMENT 'Step of the checkout, name of a response, metric that fell silent; else empty.',
    `at` DateTime64(3, 'UTC') COMMENT 'Time of the check that found the change, by event time.',
    `state` LowCardinality(String) COMMENT 'From then on: firing, resolved, adopted (it lasted so long that it counts as usual), too_few_samples, ingest_unhealthy (events were lost, so nothing is said) or ok.',
    `severity` LowCardinality(String) COMMENT 'page (somebody is woken) or ticket.',
    `since` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the window in which the regression was first seen; NULL when there is none.',
    `value` Nullable(Float64) COMMENT 'What was found, in the unit of the rule: points (NPS), a share from 0 to 1, seconds, or events; NULL when nothing could be judged.',
    `baseline` Nullable(Float64) COMMENT 'What is usual, in the same unit.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % interval of value.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % interval of value.',
    `probability` Nullable(Float64) COMMENT 'How often chance alone shows this much or more, 0 to 1.',
    `n` Int64 COMMENT 'Cases that value rests on (count).',
    `needed_n` Int64 COMMENT 'Cases that the rule needs (count).',
    `baseline_n` Int64 COMMENT 'Cases that baseline rests on (count).',
    `baseline_kind` LowCardinality(String) COMMENT 'same_hours_4_weeks, previous_24_hours, previous_28_days or service_level; empty when nothing could be judged.',
    `window_start` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the window that value was counted in.',
    `window_end` Nullable(DateTime64(3, 'UTC')) COMMENT 'End of it, exclusive.',
    `contributor` Nullable(String) COMMENT 'The part that adds most to it, such as device=mobile.',
    `suspects` Array(String) COMMENT 'What was changed shortly before (app.change): releases, campaigns.',
    `suspect_times` Array(DateTime64(3, 'UTC')) COMMENT 'When, in the same order.',
    `owner` LowCardinality(String) COMMENT 'Who is told.',
    `runbook` Nullable(String) COMMENT 'Where it says what to do; NULL when the touchpoints file names none.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one change of state of one rule at one (tenant, touchpoint, channel, detail). A regression is open while the newest row of its key is firing: ORDER BY at DESC LIMIT 1 BY tenant, rule, touchpoint, channel, detail.'
AS
SELECT
    tenant, rule, touchpoint, channel, detail, at, state, severity, since, value, baseline, ci_low, ci_high, probability,
    samples AS n, samples_needed AS needed_n, baseline_samples AS baseline_n, baseline_kind, window_start, window_end, contributor,
    suspect_names AS suspects, suspect_times, owner, runbook, revision
FROM {database}.store_regressions FINAL;
